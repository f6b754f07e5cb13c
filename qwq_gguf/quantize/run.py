"""Running plans: read rows once, quantize them for every target, write them in their places.

Chunks of rows go through a pipeline: readers ahead, workers on all cores, the calling
thread writing. So the memory needed is a few chunks whatever the model's size, and any
number of threads gives the same bytes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.gguf_file.layout import encode_header
from qwq_gguf.gguf_file.splits import part_path
from qwq_gguf.quantize.blocks import make_blocks
from qwq_gguf.quantize.chunks import Chunk, Place, Work, line_up
from qwq_gguf.quantize.kernels.choose import Job, Kernels, choose_kernels
from qwq_gguf.quantize.output import NewFile
from qwq_gguf.quantize.pipeline import Busy, pipeline
from qwq_gguf.quantize.plan import PartPlan, Plan
from qwq_gguf.quantize.supply import OnDisk, Supply
from qwq_gguf.quantize.weights import read_rows, stored_type

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "DEFAULT_MEMORY",
    "Follower",
    "Progress",
    "Summary",
    "Target",
    "run_plan",
    "run_plans",
]

DEFAULT_MEMORY = 1 << 28
"""Bytes that the chunks in work may take together, unless told otherwise."""

_BYTES_PER_WEIGHT = 16  # stored, checked, as float32 and as blocks, at their widest
_CHUNK_WEIGHTS = 1 << 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `tensor` is the one last written to."""

    done_weights: int
    total_weights: int
    tensor: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run made of one target; `path` is its first file, `file_bytes` those of all."""

    path: Path
    file_bytes: int
    weights: int
    seconds: float
    bits_per_weight: float
    kernels: str
    """Who made the blocks."""
    compile_seconds: float
    """How long kernels were compiled, beside reading and the first blocks."""
    busy: Busy
    """How long each stage worked; the same for all targets of a run."""


class Follower(Protocol):
    """Reads a file while it is written, on a descriptor that it duplicates."""

    def begin(self, part: PartPlan, path: Path, descriptor: int) -> None:
        """`part` is about to be written to this open file of its final size."""

    def written(self, start: int, nbytes: int) -> None:
        """A range of the file is written. From any thread."""


@dataclass(frozen=True, slots=True)
class Target:
    """A plan and where it is to be written; `follow` has one follower a part, or none.

    The parts of a split plan lie beside `path`, under llama.cpp's names for them.
    """

    plan: Plan
    path: Path
    follow: tuple[Follower, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in the order of the plan's parts."""
        count = len(self.plan.parts)
        if count == 1:
            return (self.path,)
        return tuple(part_path(self.path, number, count) for number in range(count))


def run_plan(
    plan: Plan,
    out: str | Path,
    *,
    follow: Follower | None = None,
    force: bool = False,
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    max_memory: int = DEFAULT_MEMORY,
    kernels: str | Kernels = "auto",
) -> Summary:
    """`run_plans` of a single target in one file."""
    target = Target(plan, Path(out), () if follow is None else (follow,))
    (summary,) = run_plans(
        [target],
        force=force,
        threads=threads,
        progress=progress,
        max_memory=max_memory,
        kernels=kernels,
    )
    return summary


def run_plans(
    targets: Sequence[Target],
    *,
    force: bool = False,
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    max_memory: int = DEFAULT_MEMORY,
    kernels: str | Kernels = "auto",
    supply: Supply | None = None,
) -> tuple[Summary, ...]:
    """Write the files that plans of one checkpoint describe, each whole or not at all.

    The weights are read once for all `targets`. `threads` defaults to the cores this
    process may use. `progress` is called on the calling thread; followers hear of every
    range that is written. `kernels` is one of kernels.choose.CHOICES, or made there.
    `supply` brings the shards; unless given they are on the disk.

    OutputError: see NewFile. TensorError: a weight that is not finite, or too large for its
    type. ShardError: the checkpoint changed. Whatever ends the run early, Ctrl-C included,
    leaves nothing behind and older files as they were.
    """
    started = time.monotonic()
    makers = choose_kernels(kernels) if isinstance(kernels, str) else kernels
    supply = OnDisk() if supply is None else supply
    workers = max(1, threads or _usable_cores())
    readers = -(-workers // 4)  # one reads from memory as fast as four quantize
    places = 2 * workers + readers + 1
    most = max(1, min(_CHUNK_WEIGHTS, max_memory // (_BYTES_PER_WEIGHT * places)))
    work = line_up([target.plan for target in targets], most, by_shard=supply.by_shard)
    makers.prepare(
        Job(tensor.type, stored_type(tensor.source), tensor.importance is not None)
        for target in targets
        for tensor in target.plan.tensors
    )
    busy = Busy()
    with ExitStack() as stack:
        files = _Files(stack, targets, force=force)
        reader = stack.enter_context(ShardReader())
        _quantize(work, files, reader, supply, makers, (workers, readers, places), busy, progress)
        files.commit()
    seconds = time.monotonic() - started
    return tuple(
        Summary(
            path=target.paths[0],
            file_bytes=sum(part.file_bytes for part in target.plan.parts),
            weights=target.plan.weights,
            seconds=seconds,
            bits_per_weight=target.plan.bits_per_weight,
            kernels=makers.description,
            compile_seconds=makers.compile_seconds,
            busy=busy,
        )
        for target in targets
    )


def _quantize(
    work: Work,
    files: _Files,
    reader: ShardReader,
    supply: Supply,
    makers: Kernels,
    stages: tuple[int, int, int],
    busy: Busy,
    progress: Callable[[Progress], None] | None,
) -> None:
    workers, readers, places = stages
    left = work.chunks_of_shards()
    supply.begin(tuple(left))

    def read(chunk: Chunk) -> NDArray[np.uint8]:
        if chunk.shard is not None:
            supply.bring(chunk.shard)
        return read_rows(reader, chunk.source, chunk.first, chunk.rows)

    def make(chunk: Chunk, rows: NDArray[np.uint8]) -> tuple[Chunk, list[NDArray[np.uint8]]]:
        return chunk, make_blocks(chunk, rows, makers)

    done = 0
    for chunk, blocks in pipeline(
        work.chunks,
        read,
        make,
        workers=workers,
        readers=readers,
        places=places,
        interrupt=supply.stop,
        busy=busy,
    ):
        for place, data in zip(chunk.places, blocks, strict=True):
            files.write(place, chunk, data)
        if chunk.shard is not None:
            left[chunk.shard] -= 1
            if not left[chunk.shard]:
                reader.forget(chunk.shard)
                if supply.by_shard:
                    files.make_durable()
                supply.done(chunk.shard)
        done += chunk.weights
        if progress is not None:
            progress(Progress(done, work.weights, chunk.source.name))


class _Files:
    """The files of all targets, open until they are committed."""

    def __init__(self, stack: ExitStack, targets: Sequence[Target], *, force: bool) -> None:
        self._files: list[list[NewFile]] = []
        self._followers: list[list[Follower | None]] = []
        for target in targets:
            parts = target.plan.parts
            self._files.append(
                [
                    stack.enter_context(NewFile(path, part.file_bytes, force=force))
                    for path, part in zip(target.paths, parts, strict=True)
                ]
            )
            self._followers.append(list(target.follow) or [None] * len(parts))
        for files, followers, target in zip(self._files, self._followers, targets, strict=True):
            for file, follower, part in zip(files, followers, target.plan.parts, strict=True):
                if follower is not None:
                    follower.begin(part, file.path, file.fileno())
                header = encode_header(part.metadata, part.tensors, part.alignment)
                self._put(file, follower, 0, memoryview(header))

    def write(self, place: Place, chunk: Chunk, blocks: NDArray[np.uint8]) -> None:
        """Put the blocks of a chunk's rows where one of the targets wants them."""
        start = place.data_offset + place.tensor.offset + chunk.first * place.tensor.row_bytes
        file = self._files[place.target][place.part]
        self._put(file, self._followers[place.target][place.part], start, blocks.data)

    def make_durable(self) -> None:
        """What is written so far stays, even if the machine stops."""
        for files in self._files:
            for file in files:
                file.make_durable()

    def commit(self) -> None:
        """Give the files their names."""
        for files in self._files:
            for file in files:
                file.commit()

    @staticmethod
    def _put(file: NewFile, follower: Follower | None, start: int, data: memoryview) -> None:
        file.write(start, data)
        if follower is not None:
            follower.written(start, data.nbytes)


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
