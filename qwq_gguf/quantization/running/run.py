"""Running plans: read rows once, quantize them for every target, write them in their places.

Chunks of rows go through a pipeline: readers ahead, workers on all cores, the calling
thread writing. So the memory needed is a few chunks whatever the model's size, and any
number of threads gives the same bytes.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.machine import usable_processors, used_memory
from qwq_gguf.quantization.kernels.dispatch import Job, Kernels, choose_kernels
from qwq_gguf.quantization.planning.plan import Plan
from qwq_gguf.quantization.running.blocks import make_blocks
from qwq_gguf.quantization.running.budget import MOST_WEIGHTS, Stages, arrange, limit_of, need_of
from qwq_gguf.quantization.running.chunks import Chunk, Work, line_up
from qwq_gguf.quantization.running.pipeline import Busy, pipeline
from qwq_gguf.quantization.running.supply import OnDisk, Supply
from qwq_gguf.quantization.running.target import Follower, Target
from qwq_gguf.quantization.running.weights import read_rows
from qwq_gguf.quantization.writing.outputs import Outputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Follower",
    "Progress",
    "Summary",
    "Target",
    "run_plan",
    "run_plans",
]

_UNKNOWN = 256 << 20  # this process, where the system does not tell
_FOLLOWED = 16 << 20  # what a follower's windows take, and the digests of the shards


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
    read_weights: int
    """How many of the weights were still to be made, when an earlier run had begun."""
    seconds: float
    bits_per_weight: float
    kernels: str
    """Who made the blocks."""
    compile_seconds: float
    """How long kernels were compiled, beside reading and the first blocks."""
    busy: Busy
    """How long each stage worked; the same for all targets of a run."""


def run_plan(
    plan: Plan,
    out: str | Path,
    *,
    follow: Follower | None = None,
    force: bool = False,
    resume: bool = True,
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    max_memory: int | None = None,
    chunk_weights: int | None = None,
    kernels: str | Kernels = "auto",
) -> Summary:
    """`run_plans` of a single target in one file."""
    target = Target(plan, Path(out), () if follow is None else (follow,))
    (summary,) = run_plans(
        [target],
        force=force,
        resume=resume,
        threads=threads,
        progress=progress,
        max_memory=max_memory,
        chunk_weights=chunk_weights,
        kernels=kernels,
    )
    return summary


def run_plans(
    targets: Sequence[Target],
    *,
    outputs: Outputs | None = None,
    force: bool = False,
    resume: bool = True,
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    max_memory: int | None = None,
    chunk_weights: int | None = None,
    kernels: str | Kernels = "auto",
    supply: Supply | None = None,
    approve: Callable[[], object] | None = None,
) -> tuple[Summary, ...]:
    """Write the files that plans of one checkpoint describe, each whole or not at all.

    The weights are read once for all `targets`. `threads` defaults to the cores this
    process may use. `progress` is called on the calling thread; followers hear of every
    range that is written. `kernels` is one of kernels.choose.CHOICES, or made there.
    `max_memory` is in bytes and for the whole process: threads and chunks follow from it
    (less than 1 GiB unless given, if this program is not that large without the run);
    `chunk_weights` makes the chunks smaller still.
    `supply` brings the shards; unless given they are on the disk. `outputs` are those of
    the same targets, entered and not finished; unless given they are made with `force` and
    `resume`, and finished. `approve` is called when all is written; the files appear unless
    it raises.

    MemoryLimitError: `max_memory` is too little. OutputError: see Outputs. TensorError: a
    weight that is not finite, or too large for its type. ShardError: the checkpoint
    changed. Whatever ends the run early, a kill included, leaves older files as they were,
    and the next run of the same goes on where it was.
    """
    started = time.monotonic()
    supply = OnDisk() if supply is None else supply
    jobs = {
        Job(tensor.type, tensor.source.stored, tensor.importance is not None)
        for target in targets
        for tensor in target.plan.tensors
    }
    weights = sum(target.plan.weights for target in targets)
    threads = max(1, threads or usable_processors())
    makers = kernels
    if isinstance(makers, str):
        makers = choose_kernels(makers, jobs, weights, min(threads, usable_processors()))
    base = _base(targets, makers, jobs)
    need = need_of([target.plan for target in targets], makers.widens)
    limit = limit_of(max_memory, base, need)
    stages = arrange(limit, base, need, threads, chunk_weights or MOST_WEIGHTS)
    busy = Busy()
    with ExitStack() as stack:
        makers.prepare(jobs)
        stack.callback(makers.close)
        files = outputs
        if files is None:
            files = stack.enter_context(Outputs(targets, force=force, resume=resume))
        plans = [target.plan for target in targets]
        work = line_up(plans, stages.chunk_weights, by_shard=supply.by_shard, done=files.done)
        files.follow([target.follow for target in targets])
        reader = stack.enter_context(ShardReader())
        _quantize(work, files, reader, supply, makers, stages, busy, progress)
        if approve is not None:
            approve()
        files.commit()
        if outputs is None:
            files.finish()
    seconds = time.monotonic() - started
    return tuple(
        Summary(
            path=target.paths[0],
            file_bytes=sum(part.file_bytes for part in target.plan.parts),
            weights=target.plan.weights,
            read_weights=work.missing,
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
    files: Outputs,
    reader: ShardReader,
    supply: Supply,
    makers: Kernels,
    stages: Stages,
    busy: Busy,
    progress: Callable[[Progress], None] | None,
) -> None:
    left = work.chunks_of_shards()
    supply.begin(tuple(left))

    def read(chunk: Chunk) -> NDArray[np.uint8]:
        for shard in chunk.shards:
            supply.bring(shard)
        return read_rows(reader, chunk.source, chunk.first, chunk.rows)

    def make(chunk: Chunk, rows: NDArray[np.uint8]) -> tuple[Chunk, list[tuple[memoryview, int]]]:
        made = [blocks.data for blocks in make_blocks(chunk, rows, makers)]
        return chunk, [(blocks, zlib.crc32(blocks)) for blocks in made]

    done = work.weights - work.missing
    if progress is not None and done:
        progress(Progress(done, work.weights, ""))
    for chunk, blocks in pipeline(
        work.chunks,
        read,
        make,
        workers=stages.workers,
        readers=stages.readers,
        places=stages.places,
        interrupt=supply.stop,
        busy=busy,
    ):
        for place, (data, crc) in zip(chunk.places, blocks, strict=True):
            files.write(place, chunk, data, crc)
        for shard in chunk.shards:
            left[shard] -= 1
            if not left[shard]:
                reader.forget(shard)
                files.sync_soon(_passes(supply, shard))
        done += chunk.weights
        if progress is not None:
            progress(Progress(done, work.weights, chunk.source.name))
    files.flush()


def _passes(supply: Supply, shard: Path) -> Callable[[BaseException | None], None]:
    """The shard goes when what is made of it is durable. If that fails, none comes any more:
    or readers would wait for the place that it was to make.
    """

    def durable(problem: BaseException | None) -> None:
        if problem is None:
            supply.done(shard)
        else:
            supply.stop(problem)

    return durable


def _base(targets: Sequence[Target], makers: Kernels, jobs: Iterable[Job]) -> int:
    """The memory of this process without any chunk."""
    headers = [part.data_offset for target in targets for part in target.plan.parts]
    followers = sum(len(target.follow) for target in targets)
    used = used_memory() or _UNKNOWN
    return used + 2 * max(headers) + makers.reserve(jobs) + _FOLLOWED * followers
