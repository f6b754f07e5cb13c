"""Rows of each tensor quantized and decoded again: what of them is lost in which type."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.conversion.values import SourceTensor
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine import usable_processors
from qwq_gguf.quantization.fitting.candidates import Sample
from qwq_gguf.quantization.kernels.dispatch import Job, Kernels, choose_kernels
from qwq_gguf.quantization.planning.importance import matrices
from qwq_gguf.quantization.running.decoding import decode
from qwq_gguf.quantization.running.pipeline import pipeline
from qwq_gguf.quantization.running.weights import read_rows, refuse_bad

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CANNOT", "Task", "measure"]

CANNOT = 1e30
"""Far above any error; finite, so that sums and JSON stay so."""

Rows = list["NDArray[np.uint8]"]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A tensor to be measured in some types. `importance` as a plan has it: [matrices, columns],
    None where all columns count alike.
    """

    tensor: SourceTensor
    sample: Sample
    kinds: tuple[GgmlType, ...]
    importance: NDArray[np.float32] | None = None

    @property
    def work(self) -> int:
        """Weights to quantize, each type's counted."""
        return self.sample.weights * len(self.kinds)

    def weights_of(self, first: int) -> NDArray[np.float32] | None:
        """The importance of the columns of the matrix that has this row."""
        if self.importance is None:
            return None
        rows = self.tensor.rows // matrices(self.tensor.shape)
        columns: NDArray[np.float32] = self.importance[first // rows]
        return columns


def measure(
    tasks: Sequence[Task],
    *,
    threads: int | None = None,
    passed: Callable[[int, str], object] | None = None,
) -> Generator[tuple[str, Mapping[GgmlType, float]], None, None]:
    """The relative errors of each tensor by type, as they get ready.

    `passed` hears of weights that are done, and the tensor's name. A type that cannot hold the
    weights has an error of `CANNOT`. However it ends, no thread is left. TensorError for weights
    that are no numbers; ShardError where rows cannot be read.
    """
    workers = max(1, threads or usable_processors())
    jobs = {
        Job(kind, task.tensor.stored, task.importance is not None)
        for task in tasks
        for kind in task.kinds
        if kind is not task.tensor.stored
    }
    makers = choose_kernels("auto", jobs, sum(task.work for task in tasks), workers)
    stopped = Event()
    with ExitStack() as stack:
        makers.prepare(jobs)
        stack.callback(makers.close)
        reader = stack.enter_context(ShardReader())

        def read(task: Task) -> Rows:
            return [read_rows(reader, task.tensor, *run) for run in task.sample.runs]

        def make(task: Task, rows: Rows) -> tuple[str, Mapping[GgmlType, float]]:
            for run, part in zip(task.sample.runs, rows, strict=True):
                refuse_bad(part, task.tensor, run[0])
            found = {}
            for kind in task.kinds:
                if stopped.is_set():
                    break  # nobody waits for it any more
                found[kind] = _error(task, rows, kind, makers)
                if passed is not None:
                    passed(task.sample.weights, task.tensor.name)
            return task.tensor.name, found

        yield from pipeline(tasks, read, make, workers=workers, interrupt=stopped.set)


def _error(task: Task, rows: Rows, kind: GgmlType, makers: Kernels) -> float:
    """Squared differences by importance, relative to the weights' own squares."""
    stored = task.tensor.stored
    if kind is stored:
        return 0.0
    lost = energy = 0.0
    for (first, _), part in zip(task.sample.runs, rows, strict=True):
        importance = task.weights_of(first)
        try:
            blocks = makers.quantize(kind, part, stored, importance)
        except OverflowError:
            return CANNOT
        exact = decode(part, stored).astype(np.float64)
        columns = np.ones(exact.shape[1]) if importance is None else importance.astype(np.float64)
        difference = exact - decode(blocks, kind)
        lost += float(np.square(difference).sum(axis=0) @ columns)
        energy += float(np.square(exact).sum(axis=0) @ columns)
    return lost / energy if energy else 0.0
