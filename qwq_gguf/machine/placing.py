"""What of a model goes where: as much as will on the cards, the rest in main memory. Pure.

llama.cpp's own rules (src/llama-model.cpp, `load_tensors`): of N layers and what follows them, the
last `-ngl` go to the cards, in one piece each, in proportion to the memory that is free there. The
embedding of tokens never does. With `--n-cpu-moe M` the experts of the first M layers stay behind.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine.batches import prompt_batch
from qwq_gguf.machine.devices import MIB, Machine
from qwq_gguf.machine.model_size import ModelShape, WeightBytes

__all__ = [
    "Placement",
    "Share",
    "most_context",
    "place",
    "process_bytes",
]

# Python and the libraries, and what a token of the vocabulary takes; measured: docs/memory.md.
_PROCESS, _TOKEN = 32 * MIB, 320
_STEP = 256  # tokens


@dataclass(frozen=True, slots=True)
class Share:
    """Bytes that one memory has of a model."""

    weights: int = 0
    cache: int = 0
    buffers: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.cache + self.buffers

    def to_json(self, where: str) -> dict[str, Any]:
        """The same for `--json`, with the name of the memory."""
        return {
            "where": where,
            "weights": self.weights,
            "cache": self.cache,
            "buffers": self.buffers,
            "total": self.total,
        }


@dataclass(frozen=True, slots=True)
class Placement:
    """A model in a machine. `gpu_layers` of `layers` are on cards, what follows the last one
    counting as one; the experts of the first `cpu_experts` are not.
    """

    context: int
    kind: GgmlType
    layers: int
    gpu_layers: int
    cpu_experts: int
    ram: Share
    cards: tuple[Share, ...]

    @property
    def all_on_cards(self) -> bool:
        """Whether nothing waits for main memory."""
        return self.gpu_layers == self.layers and not self.cpu_experts

    @property
    def total(self) -> int:
        """Bytes in all memories together."""
        return self.ram.total + sum(card.total for card in self.cards)


def place(
    shape: ModelShape,
    weights: WeightBytes,
    machine: Machine,
    context: int,
    kind: GgmlType,
    *,
    gpu_layers: int | None = None,
) -> Placement | None:
    """The best place for a model with such a context: first that with most on the cards, then
    that whose experts only are in main memory. None where it goes nowhere.

    `gpu_layers` is what the user wants of it.
    """
    return next(_places(shape, weights, machine, context, kind, gpu_layers), None)


def most_context(
    shape: ModelShape,
    weights: WeightBytes,
    machine: Machine,
    kind: GgmlType,
    limit: int,
    *,
    like: Placement,
) -> int:
    """The longest context, up to `limit`, with as much on the cards as `like` has."""
    low, high = like.context // _STEP, max(like.context, limit) // _STEP
    while low < high:
        middle = (low + high + 1) // 2
        found = place(shape, weights, machine, middle * _STEP, kind, gpu_layers=like.gpu_layers)
        fits = found is not None and found.cpu_experts <= like.cpu_experts
        low, high = (middle, high) if fits else (low, middle - 1)
    return low * _STEP


def process_bytes(shape: ModelShape) -> int:
    """What the program takes in main memory beside the model."""
    return _PROCESS + _TOKEN * shape.vocabulary


def _places(
    shape: ModelShape,
    weights: WeightBytes,
    machine: Machine,
    context: int,
    kind: GgmlType,
    wanted: int | None,
) -> Iterator[Placement]:
    most = shape.layers + 1
    tries: list[int] = []
    if machine.cards:
        tries = [most, 0] if machine.unified else list(range(most, -1, -1))
    if wanted is not None:
        tries = [min(wanted, most) if machine.cards else 0]
    for layers in tries or [0]:
        experts: range = range(1)
        if shape.experts and not machine.unified and layers == most:
            experts = range(shape.layers + 1)
        for behind in experts:
            found = _placed(shape, weights, machine, context, kind, layers, behind)
            if _fits(found, machine, process_bytes(shape)):
                yield found


def _placed(
    shape: ModelShape,
    weights: WeightBytes,
    machine: Machine,
    context: int,
    kind: GgmlType,
    gpu_layers: int,
    behind: int,
) -> Placement:
    most = shape.layers + 1
    batch = prompt_batch(weights.total, on_card=gpu_layers > 0)
    cache = shape.cache_bytes(context, kind)
    states = shape.cache.state // max(1, shape.layers)
    parts = [[0, 0] for _ in machine.cards]
    ram = [weights.embedding, 0]
    first = most - gpu_layers
    for number, layer in enumerate(weights.layers):
        side = ram if number < first else parts[_card(number - first, gpu_layers, machine)]
        (ram if number < behind else side)[0] += layer.experts
        side[0] += layer.common
        side[1] += cache[number] + states
    if gpu_layers:
        parts[_card(gpu_layers - 1, gpu_layers, machine)][0] += weights.output
    elif not weights.tied:
        ram[0] += weights.output
    else:
        ram[0] = max(ram[0], ram[0] - weights.embedding + weights.output)
    buffers = shape.buffer_bytes(context, batch)
    computes = gpu_layers < most or behind > 0
    touched = shape.touched_bytes(context, batch) if computes else batch * 4 * shape.embedding
    return Placement(
        context,
        kind,
        most,
        gpu_layers,
        behind,
        Share(ram[0], ram[1], touched),
        tuple(Share(part[0], part[1], buffers if part[0] else 0) for part in parts),
    )


def _card(place: int, layers: int, machine: Machine) -> int:
    """Which card has the layer at this place among those on cards."""
    free = [max(1, card.free) for card in machine.cards]
    ends = [each / sum(free) for each in accumulate(free)]
    return min(bisect_right(ends, place / layers), len(free) - 1)


def _fits(found: Placement, machine: Machine, beside: int) -> bool:
    ram = found.ram.total + beside
    if any(
        share.total > card.usable for share, card in zip(found.cards, machine.cards, strict=True)
    ):
        return False
    if machine.unified:
        ram += sum(share.total for share in found.cards)
    return ram <= machine.ram.usable
