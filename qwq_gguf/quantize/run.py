"""Running a plan: read rows, quantize them, write them where the plan says.

Threads take chunks of rows; each chunk is read straight from the shard, quantized and
written at its place, so the memory needed is a few chunks whatever the model's size, and
any number of threads gives the same bytes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.convert.values import ComputedTensor
from qwq_gguf.errors import TensorError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file.layout import encode_header
from qwq_gguf.quantize.kernels.choose import Job, Kernels, choose_kernels
from qwq_gguf.quantize.output import NewFile
from qwq_gguf.quantize.plan import Plan, TensorPlan
from qwq_gguf.quantize.weights import decode, read_rows, stored_type

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DEFAULT_MEMORY", "Follower", "Progress", "Summary", "run_plan"]

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
    """What a run made."""

    path: Path
    file_bytes: int
    weights: int
    seconds: float
    bits_per_weight: float
    kernels: str
    """Who made the blocks."""
    compile_seconds: float
    """How long kernels were compiled, beside reading and the first blocks."""


class Follower(Protocol):
    """Reads a file while it is written, on a descriptor that it duplicates."""

    def begin(self, plan: Plan, path: Path, descriptor: int) -> None:
        """`plan` is about to be written to this open file of its final size."""

    def written(self, start: int, nbytes: int) -> None:
        """A range of the file is written. From any thread."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    tensor: TensorPlan
    first: int
    rows: int

    @property
    def weights(self) -> int:
        return self.rows * self.tensor.shape[0]

    @property
    def importance(self) -> NDArray[np.float32] | None:
        """A weight for each column, the same for all rows of a chunk."""
        table = self.tensor.importance
        return None if table is None else table[self.first // self.tensor.matrix_rows]


def run_plan(
    plan: Plan,
    out: str | Path,
    *,
    force: bool = False,
    threads: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    max_memory: int = DEFAULT_MEMORY,
    follow: Follower | None = None,
    kernels: str | Kernels = "auto",
) -> Summary:
    """Write the file a plan describes, at `out`, whole or not at all.

    `threads` defaults to the cores this process may use. `progress` is called on the
    calling thread; `follow` hears of every range that is written. `kernels` is one of
    kernels.choose.CHOICES, or made there. OutputError: see NewFile. TensorError: a weight
    that is not finite, or too large for its type. ShardError: the checkpoint changed.
    Whatever ends the run early, Ctrl-C included, leaves nothing behind and an older file
    at `out` as it was.
    """
    started = time.monotonic()
    makers = choose_kernels(kernels) if isinstance(kernels, str) else kernels
    workers = max(1, threads or _usable_cores())
    most = max(1, min(_CHUNK_WEIGHTS, max_memory // (_BYTES_PER_WEIGHT * workers)))
    makers.prepare(
        Job(tensor.type, stored_type(tensor.source), tensor.importance is not None)
        for tensor in plan.tensors
    )
    out = Path(out)
    with NewFile(out, plan.file_bytes, force=force) as file, ShardReader() as reader:
        file.write(0, encode_header(plan.metadata, plan.tensors, plan.alignment))
        if follow is not None:
            follow.begin(plan, out, file.fileno())
            follow.written(0, plan.data_offset)

        def work(chunk: _Chunk) -> _Chunk:
            tensor = chunk.tensor
            blocks = _make(chunk, reader, makers)
            start = plan.data_offset + tensor.offset + chunk.first * tensor.row_bytes
            file.write(start, blocks.data)
            if follow is not None:
                follow.written(start, blocks.nbytes)
            return chunk

        done = 0
        total = plan.weights
        for chunk in _in_parallel(work, _chunks(plan, most), workers):
            done += chunk.weights
            if progress is not None:
                progress(Progress(done, total, chunk.tensor.name))
        file.commit()
    return Summary(
        path=out,
        file_bytes=plan.file_bytes,
        weights=total,
        seconds=time.monotonic() - started,
        bits_per_weight=plan.bits_per_weight,
        kernels=makers.description,
        compile_seconds=makers.compile_seconds,
    )


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _chunks(plan: Plan, most_weights: int) -> Iterator[_Chunk]:
    for tensor in plan.tensors:
        rows = max(1, most_weights // tensor.shape[0])
        order = tensor.source.row_order
        if order is not None and rows > order.group:
            rows -= rows % order.group  # whole groups, so that none is read twice
        for start in range(0, tensor.rows, tensor.matrix_rows):
            stop = start + tensor.matrix_rows  # no chunk has rows of two matrices
            for first in range(start, stop, rows):
                yield _Chunk(tensor, first, min(rows, stop - first))


def _in_parallel(
    work: Callable[[_Chunk], _Chunk], chunks: Iterator[_Chunk], workers: int
) -> Iterator[_Chunk]:
    """Results as they come, with only a few chunks on their way at any time."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="quantize")
    try:
        pending: set[Future[_Chunk]] = set()
        for chunk in chunks:
            pending.add(pool.submit(work, chunk))
            if len(pending) > workers:
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        while pending:
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _make(chunk: _Chunk, reader: ShardReader, makers: Kernels) -> NDArray[np.uint8]:
    """The bytes of a chunk's rows in the planned type, shape [rows, bytes a row]."""
    tensor = chunk.tensor
    rows = read_rows(reader, tensor.source, chunk.first, chunk.rows)
    source_type = stored_type(tensor.source)
    if source_type is tensor.type:
        return rows
    try:
        return makers.quantize(tensor.type, rows, source_type, chunk.importance)
    except OverflowError:
        raise _too_large(chunk, rows, makers) from None


def _too_large(chunk: _Chunk, rows: NDArray[np.uint8], makers: Kernels) -> TensorError:
    kind = chunk.tensor.type
    source_type = stored_type(chunk.tensor.source)

    def fits(row: NDArray[np.uint8]) -> bool:
        try:
            makers.quantize(kind, row, source_type, chunk.importance)
        except OverflowError:
            return False
        return True

    bad = next(row for row in range(len(rows)) if not fits(rows[row : row + 1]))
    source = chunk.tensor.source.source
    return TensorError(
        f"{source.name} has weights too large for {kind.name}, "
        f"in row {chunk.first + bad} of {chunk.tensor.name}",
        path=None if isinstance(source, ComputedTensor) else source.shard,
        found=f"up to {np.abs(decode(rows[bad : bad + 1], source_type)).max():.4g}",
        hint=f"keep it as it is: --tensor-type '{chunk.tensor.name}=F32'"
        if kind in (GgmlType.F16, GgmlType.BF16)
        else f"give it a float type: --tensor-type '{chunk.tensor.name}=BF16'",
    )
