"""Errors of types on real rows, beside the same computed in the plainest way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.conversion import convert
from qwq_gguf.conversion.values import Conversion
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.fitting.measuring import measure
from qwq_gguf.quantization.fitting.problem import Problem
from qwq_gguf.quantization.kernels.ggml import load_ggml
from qwq_gguf.quantization.running.decoding import decode
from qwq_gguf.quantization.running.weights import read_rows
from support.checkpoints import write_checkpoint
from support.imatrix import importance

NAME = "blk.0.ffn_down.weight"
# ggml's codebooks of the other types take seconds to build.
KINDS = (GgmlType.BF16, GgmlType.Q8_0, GgmlType.Q4_K, GgmlType.Q3_K, GgmlType.Q2_K)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Conversion:
    folder = tmp_path_factory.mktemp("models") / "Tiny-1B"
    return convert(open_checkpoint(str(write_checkpoint(folder))))


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_share_of_the_energy_that_is_lost(made: Conversion, weighted: bool) -> None:
    problem = Problem.of(made, importance(made) if weighted else None)
    (task,) = (task for task in problem.tasks if task.tensor.name == NAME)
    assert set(task.kinds) > set(KINDS)
    task = replace(task, kinds=KINDS)
    assert task.sample.whole
    ((name, errors),) = measure([task], threads=1)
    assert (name, set(errors)) == (NAME, set(task.kinds))
    assert errors[GgmlType.BF16] == 0  # it stays as it is stored
    with ShardReader() as reader:
        stored = read_rows(reader, task.tensor, 0, task.tensor.rows)
    rows = decode(stored, GgmlType.BF16)
    columns = None if task.importance is None else task.importance[0]
    by_column = np.ones(rows.shape[1]) if columns is None else columns.astype(float)
    for kind in (GgmlType.Q3_K, GgmlType.Q8_0):
        back = decode(load_ggml().quantize_rows(kind, rows, columns), kind).astype(float)
        lost = ((rows - back) ** 2 * by_column).sum()
        assert errors[kind] == pytest.approx(lost / (rows.astype(float) ** 2 * by_column).sum())
    assert errors[GgmlType.Q2_K] > errors[GgmlType.Q4_K] > errors[GgmlType.Q8_0] > 0


def test_any_number_of_threads_gives_the_same(made: Conversion) -> None:
    tasks = [replace(task, kinds=KINDS) for task in Problem.of(made).tasks]
    done: list[int] = []
    one = dict(measure(tasks, threads=1, passed=lambda weights, _: done.append(weights)))
    assert sum(done) == sum(task.work for task in tasks)
    assert dict(measure(tasks, threads=3)) == one


def test_an_end_from_outside_leaves_no_thread(made: Conversion) -> None:
    import threading

    before = set(threading.enumerate())
    found = measure([replace(task, kinds=KINDS) for task in Problem.of(made).tasks], threads=2)
    next(found)
    found.close()
    assert set(threading.enumerate()) <= before


def test_a_weight_that_is_no_number_is_named(tmp_path: Path) -> None:
    from qwq_gguf.errors import TensorError

    folder = write_checkpoint(tmp_path / "Tiny-1B", dtype="F32")
    conversion = convert(open_checkpoint(str(folder)))
    (task,) = (task for task in Problem.of(conversion).tasks if task.tensor.name == NAME)
    (source,) = task.tensor.sources
    shard = next(folder.glob("*.safetensors"))
    raw = bytearray(shard.read_bytes())
    raw[source.start : source.start + 4] = b"\0\0\xc0\x7f"  # type: ignore[union-attr]
    shard.write_bytes(raw)
    with pytest.raises(TensorError, match="no number"):
        list(measure([task], threads=1))


def test_the_largest_that_somebody_lets_pass(made: Conversion) -> None:
    problem = Problem.of(made)
    errors = {
        task.tensor.name: {
            kind: 2.0 ** (-16 * kind.type_size / kind.block_size) for kind in task.kinds
        }
        for task in problem.tasks
    }

    def total(types: dict[str, GgmlType]) -> int:
        return sum(nbytes for _, nbytes in problem.sizes(types))

    whole = total({task.tensor.name: GgmlType.BF16 for task in problem.tasks})
    for limit in (whole, whole // 2, whole // 3):

        def fits(sizes: Sequence[tuple[str, int]], most: int = limit) -> bool:
            return sum(nbytes for _, nbytes in sizes) <= most

        found = problem.within(errors, fits)
        assert found is not None
        assert 0.97 * limit < total(problem.types(found)) <= limit
    assert problem.within(errors, lambda sizes: False) is None
