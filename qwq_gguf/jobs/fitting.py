"""What of a model fits a machine, and how to run it: `fit`, and the choice that `run` makes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.contexts import cache_type
from qwq_gguf.jobs.measured_thoughts import measured_length
from qwq_gguf.jobs.sizing import candidate_of, sized
from qwq_gguf.jobs.this_machine import this_machine
from qwq_gguf.machine.choosing import Row, Wanted, best_row, ladder, row_of
from qwq_gguf.machine.devices import GIB, Machine, modelled_memory
from qwq_gguf.machine.known_cards import model_device
from qwq_gguf.machine.model_size import ModelShape
from qwq_gguf.machine.thought_lengths import NO_THOUGHT, ThoughtLength, thought_length
from qwq_gguf.words import human_bytes, human_time

if TYPE_CHECKING:
    from qwq_gguf.ggml_types import GgmlType
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.machine.placing import Placement, Share
    from qwq_gguf.metadata import KeyValue

__all__ = ["FIT_SCHEMA", "Fit", "best_fit", "fit", "fitting_plans", "wanted_of"]

FIT_SCHEMA = "qwq-gguf/fit/1"
# Weights that one core makes into blocks in a second, reading and writing included: 1.12 B on two
# cores in 3.4 s (docs/performance.md, "The whole way").
_MADE_A_SECOND = 160e6


@dataclass(frozen=True, slots=True)
class Fit:
    """A model on a machine: a row for each recipe, and the one to take, None for none.

    `source` is as the user named it; `made` says whether it is a GGUF already. `downloads` are
    the bytes that making it takes from the Hub.
    """

    source: str
    name: str
    made: bool
    machine: Machine
    notes: tuple[str, ...]
    thought: ThoughtLength
    shape: ModelShape
    rows: tuple[Row, ...]
    best: Row | None
    wanted: Wanted
    downloads: int = 0

    def making_seconds(self, row: Row) -> float:
        """How long quantizing it should take; a download is not in it."""
        if self.made:
            return 0.0
        return row.candidate.parameters / (_MADE_A_SECOND * max(1, self.machine.cores))

    def commands(self, row: Row | None = None) -> tuple[str, ...]:
        """What to type for a row (that which is recommended)."""
        row = row or self.best
        if row is None or row.placed is None:
            return ()
        source = shlex.quote(self.source)
        file = source
        lines = []
        if not self.made:
            file = shlex.quote(f"{self.name}-{row.candidate.recipe}.gguf")
            lines.append(f"qwq-gguf quantize {source} -r {row.candidate.recipe}")
        return (*lines, f"qwq-gguf chat {file}{_flags(row.placed, self.machine)}")

    @property
    def why(self) -> str:
        """Why that row, or why none."""
        row = self.best
        if row is None or row.placed is None:
            most = max((each.placed.context for each in self.rows if each.placed), default=0)
            if not most:
                return "no recipe of this model goes into this memory"
            return (
                f"no recipe leaves room for a thought: it takes {self.wanted.least:,} tokens with "
                f"its question and answer, and the most there is is {most:,}"
            )
        where = _where(row.placed, self.machine)
        larger = [
            each.candidate.recipe
            for each in self.rows
            if each.candidate.bits > row.candidate.bits and not each.enough
        ]
        told = f"{where}, with {row.placed.context:,} tokens of context"
        if row.placed.kind.name != "F16":
            told += f" kept in {row.placed.kind.name.lower()}"
        told += f"; a typical thought of {self.thought.typical:,} tokens takes about "
        told += human_time(row.seconds(self.thought.typical))
        if row.in_q8_0:
            told += f"; --kv-type q8_0 would write about {row.in_q8_0:.1f} tokens a second here, "
            told += f"not {row.speed:.1f}, with a cache a little less exact"
        if larger:
            told += f"; beside {larger[0]} there is no room for one"
        return told

    def to_json(self) -> dict[str, Any]:
        """The same for `--json`; sizes in bytes, times in seconds, both estimates."""
        return {
            "schema": FIT_SCHEMA,
            "source": self.source,
            "model": self.name,
            "architecture": self.shape.architecture,
            "machine": self.machine.to_json(),
            "notes": list(self.notes),
            "thought": {
                "typical": self.thought.typical,
                "long": self.thought.long,
                "source": self.thought.source,
            },
            "cache_bytes_a_token": {
                kind: self._a_token(kind) for kind in ("f16", "q8_0", "q4_0") if self._takes(kind)
            },
            "rows": [self._row_json(row) for row in self.rows],
            "recommended": None if self.best is None else self.best.candidate.recipe,
            "commands": list(self.commands()),
            "why": self.why,
        }

    def _takes(self, kind: str) -> bool:
        return self.shape.cache.takes(cache_type(kind, "--kv-type"))

    def _a_token(self, kind: str) -> int:
        return sum(self.shape.cache.by_layer(1, *[cache_type(kind, "--kv-type")] * 2))

    def _row_json(self, row: Row) -> dict[str, Any]:
        placed = row.placed
        value: dict[str, Any] = {
            "recipe": row.candidate.recipe,
            "file_bytes": row.candidate.file_bytes,
            "weight_bytes": row.candidate.weights.total,
            "bits_per_weight": round(row.candidate.bits, 4),
            "fits": placed is not None,
            "holds_a_thought": row.enough,
            "making_seconds": round(self.making_seconds(row), 1),
        }
        if placed is not None:
            value |= {
                "context": placed.context,
                "longest_context": row.most,
                "cache_type": placed.kind.name.lower(),
                "gpu_layers": placed.gpu_layers,
                "layers": placed.layers,
                "cpu_experts": placed.cpu_experts,
                "memory": [share.to_json(name) for name, share in _shares(placed)],
                "tokens_per_second": round(row.speed, 2),
                "typical_thought_seconds": round(row.seconds(self.thought.typical), 1),
                "long_thought_seconds": round(row.seconds(self.thought.long), 1),
                "tokens_per_second_in_q8_0": round(row.in_q8_0, 2) or None,
            }
        return value


def fit(
    source: str,
    *,
    device: str | None = None,
    ram: int | None = None,
    context: int | None = None,
    kv_type: str | None = None,
    thought: int | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> Fit:
    """What of `source` (a checkpoint, a GGUF, of the Hub by their headers) fits.

    `device` names a machine that is not here, `ram` its main memory in bytes; `context` and
    `kv_type` are the user's, None and "auto" leave them to us; `thought` is how many tokens a
    typical one has, if the user knows better.

    UsageError for a device or type that there is none of, and where a header says too little.
    """
    if ram is not None and device is None:
        raise UsageError("--ram goes with --device")
    found = sized(source, revision, token)
    shape = ModelShape.of(found.header)
    if shape is None or not found.candidates:
        raise UsageError(
            "this model's header does not say how large its layers are", found=found.name
        )
    wanted = wanted_of(found.header.metadata, context, kv_type, thought)
    if wanted.kind is not None and not shape.cache.takes(wanted.kind):
        raise UsageError(
            f"this model's KV cache cannot be kept in {wanted.kind.name.lower()}",
            found=f"heads of {shape.cache.head[0]} numbers",
            expected=f"a multiple of {wanted.kind.block_size}",
        )
    # Last, as measuring it may take some seconds.
    machine, notes = _machine(device, ram)
    rows = tuple(row_of(shape, each, machine, wanted) for each in found.candidates)
    return Fit(
        source,
        found.name,
        found.made,
        machine,
        notes,
        wanted.thought,
        shape,
        rows,
        best_row(rows),
        wanted,
        found.downloads,
    )


def _machine(device: str | None, ram: int | None) -> tuple[Machine, tuple[str, ...]]:
    """This machine is looked at only where it counts."""
    if device is None:
        return this_machine()
    # A name that there is no machine of is refused before this one is measured.
    modelled = model_device(device, Machine(device, modelled_memory(ram or GIB)), ram)
    if ram is not None or modelled.unified:
        return modelled, ("the machine is modelled: nothing of it was measured",)
    here, _ = this_machine()  # what it says of cards that are not used is of no interest
    note = "the card is modelled; main memory is that of this machine, --ram names another"
    return model_device(device, here), (note,) if modelled.cards else ()


def best_fit(source: str, *, revision: str | None = None, token: str | None = None) -> Row | None:
    """The recipe, place and context to run a model with here; None where nothing fits.

    Its `candidate.recipe`, `placed.context`, `placed.kind` and `placed.gpu_layers` are what
    `quantize` and `load` take.
    """
    return fit(source, revision=revision, token=token).best


def fitting_plans(
    gguf: GgufFile,
    *,
    usual: int,
    context: int | None = None,
    kv_type: GgmlType | None = None,
    gpu_layers: int | None = None,
) -> Iterator[Placement]:
    """Places for a GGUF on this machine, the best first, each smaller than the last."""
    shape = ModelShape.of(gguf)
    if shape is None:
        return
    machine, _ = this_machine(timed=False)
    wanted = wanted_of(gguf.metadata, context, None, None)
    wanted = replace(wanted, usual=usual, kind=kv_type, gpu_layers=gpu_layers)
    yield from ladder(shape, candidate_of(gguf, shape), machine, wanted)


def wanted_of(
    metadata: Mapping[str, KeyValue], context: int | None, kv_type: str | None, thought: int | None
) -> Wanted:
    """What context and cache a model with these keys is to have; the last three are a user's."""
    from qwq_gguf.jobs.wishes import Wishes, settle

    settled = settle(metadata, Wishes())
    length = NO_THOUGHT
    if settled.thoughts.form.can_think:
        name = metadata.get("general.name")
        called = str(name.scalar) if name is not None and name.element is None else ""
        length = measured_length(metadata) or thought_length(settled.profile.name, called)
    if thought is not None:
        length = ThoughtLength(thought, 2 * thought, "--thought")
    kind = None if kv_type in (None, "auto") else cache_type(str(kv_type), "--kv-type")
    return Wanted(settled.profile.context, length, context, kind)


def _flags(placed: Placement, machine: Machine) -> str:
    flags = f" -c {placed.context}"
    if placed.kind.name != "F16":
        name = placed.kind.name.lower()
        flags += f" -ctk {name} -ctv {name}"
    if machine.cards and not placed.all_on_cards:
        flags += f" -ngl {placed.gpu_layers}"
        if placed.cpu_experts:
            flags += f" --n-cpu-moe {placed.cpu_experts}"
    return flags


def _where(placed: Placement, machine: Machine) -> str:
    if not placed.gpu_layers:
        return f"all {human_bytes(placed.total)} are in main memory"
    cards = " and ".join(human_bytes(share.total) for share in placed.cards if share.total)
    if placed.all_on_cards:
        return f"all of it is on the {'cards' if len(machine.cards) > 1 else 'card'} ({cards})"
    if placed.cpu_experts:
        return (
            f"all but the experts of {placed.cpu_experts} layers are on the card ({cards}), "
            f"{human_bytes(placed.ram.total)} in main memory"
        )
    return (
        f"{placed.gpu_layers} of {placed.layers} layers are on the card ({cards}), "
        f"{human_bytes(placed.ram.total)} in main memory"
    )


def _shares(placed: Placement) -> Iterator[tuple[str, Share]]:
    yield "main memory", placed.ram
    for number, share in enumerate(placed.cards):
        yield f"card {number}", share
