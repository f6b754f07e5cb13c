"""How a run is laid out so that it fits into a given amount of memory. Pure.

What a run holds is chunks of rows: as stored while they wait for a worker, as blocks while
they wait to be written, both and what is made on the way while a worker has them. So its
memory is a base (this program, its libraries, the vocabulary), and so many chunks of such
a size; threads and chunk sizes follow from what is left above the base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qwq_gguf.errors import MemoryLimitError
from qwq_gguf.ggml_types import GgmlType

if TYPE_CHECKING:
    from qwq_gguf.quantization.planning.plan import Plan, TensorPlan

__all__ = ["DEFAULT_MEMORY", "MOST_WEIGHTS", "Need", "Stages", "arrange", "limit_of", "need_of"]

DEFAULT_MEMORY = 768 << 20
"""The limit of a run that is told none: with room to 1 GiB for what is not counted."""

_AT_LEAST = 256 << 20  # above the base, of a run that is told no limit

MOST_WEIGHTS = 1 << 20
"""Of a chunk. Larger ones make nothing faster."""

_ENOUGH_WEIGHTS = 1 << 16  # below, threads wait for each other: rather have fewer of them
_THREAD = 1 << 20  # stack, and what its allocations leave unused
_SLACK = 1.25  # of chunks: freed memory that does not fit the next one


@dataclass(frozen=True, slots=True)
class Stages:
    """Threads that read and quantize, and how many chunks of which size they share."""

    readers: int
    workers: int
    places: int
    chunk_weights: int


@dataclass(frozen=True, slots=True)
class Need:
    """What chunks of a run take, at most: bytes a weight, in a thread's hands and between
    the threads; and how many weights the smallest possible chunk has.
    """

    working: float
    waiting: float
    least_weights: int

    def of(self, stages: Stages) -> int:
        """The bytes of all chunks and threads of such a run."""
        threads = stages.readers + stages.workers
        weights = max(stages.chunk_weights, self.least_weights)
        return int(_SLACK * weights * self._rate(stages)) + _THREAD * threads

    def weights_within(self, memory: int, stages: Stages) -> int:
        """How large chunks of so many places may be."""
        threads = stages.readers + stages.workers
        return int((memory - _THREAD * threads) / (_SLACK * self._rate(stages)))

    def _rate(self, stages: Stages) -> float:
        held = min(stages.readers + stages.workers, stages.places)
        return held * self.working + (stages.places - held) * self.waiting


def need_of(plans: Sequence[Plan], widens: Callable[[GgmlType, GgmlType], bool]) -> Need:
    """The need of plans that are made in one reading.

    `widens(stored, made)` says whether blocks of a type are made by way of float32.
    """
    found: dict[str, list[TensorPlan]] = {}
    for plan in plans:
        for tensor in plan.tensors:
            found.setdefault(tensor.name, []).append(tensor)
    working = waiting = 0.0
    least = 1
    for same in found.values():
        row = same[0].shape[0]
        kind = same[0].source.stored
        order = same[0].source.row_order
        made = {(tensor.type, tensor.importance is not None) for tensor in same}
        raw = kind.row_bytes(row) / row
        blocks = sum(each.row_bytes(row) / row for each, _ in made if each is not kind)
        wide = 4.0 if any(widens(kind, each) for each, _ in made) else 0.0
        looked_at = 3.0 if any(each is kind for each, _ in made) else 0.0
        # Rows that change places are in memory before and after.
        reading = raw * (1 if order is None else 2) + same[0].source.extra_bytes
        working = max(working, reading + blocks + max(wide, looked_at))
        waiting = max(waiting, raw, blocks)
        least = max(least, same[0].source.least_weights)
    return Need(working, waiting, least)


def limit_of(asked: int | None, base: int, need: Need) -> int:
    """The memory that a run may take with its base.

    None asked for: DEFAULT_MEMORY, or what it takes where the program that quantizes is a
    large one itself, or a single row.
    """
    if asked is not None:
        return asked
    least = need.of(Stages(1, 1, 1, need.least_weights)) + _THREAD
    return max(DEFAULT_MEMORY, base + max(_AT_LEAST, least))


def arrange(
    limit: int, base: int, need: Need, workers: int, most_weights: int = MOST_WEIGHTS
) -> Stages:
    """Stages for `workers` threads, or fewer, that take at most `limit` bytes with `base`.

    Chunks have at most `most_weights`, if a row has not more. MemoryLimitError, which says
    how little is possible, when nothing fits.
    """
    for stages in _layouts(workers):
        weights = need.weights_within(limit - base, stages)
        alone = stages.places == 1
        if weights >= need.least_weights and (alone or weights >= _ENOUGH_WEIGHTS):
            return replace(stages, chunk_weights=min(weights, most_weights))
    # What the process has by then is not the same in each run.
    least = ((base + need.of(Stages(1, 1, 1, need.least_weights))) >> 20) + 12
    raise MemoryLimitError(
        "the run does not fit into the memory it may use",
        found=f"--max-memory {limit >> 20}M",
        expected=f"at least {least}M",
        hint=f"--max-memory {least}M",
    )


def _layouts(workers: int) -> Iterator[Stages]:
    """From all threads, none waiting for another's place, to one chunk after the other."""
    while True:
        readers = -(-workers // 4)  # one reads from memory as fast as four quantize
        yield Stages(readers, workers, 2 * workers + readers + 1, 0)
        yield Stages(readers, workers, workers + readers, 0)
        if workers == 1:
            yield Stages(1, 1, 1, 0)
            return
        workers = (workers + 1) // 2
