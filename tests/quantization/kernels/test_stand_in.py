"""libggml works until a kernel is compiled, where it is known to give the same bytes."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels import block_makers, reference_bytes
from qwq_gguf.quantization.kernels.dispatch import GgmlKernels, Job, NumbaKernels, choose_kernels
from qwq_gguf.quantization.kernels.ggml import load_ggml

pytest.importorskip("numba")

JOB = Job(GgmlType.Q8_0, GgmlType.BF16, False)
WAIT = 60  # seconds after which a test has failed; none of them takes any


@pytest.fixture
def rows() -> np.ndarray:
    weights = np.random.default_rng(1).normal(0, 1, (3, 512)).astype(np.float32)
    return (weights.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)


class Compiling(NumbaKernels):
    """Stays at its first kernel until it is told to go on; counts what kernels make."""

    def __init__(self, *, stand_ins: int = 1) -> None:
        super().__init__(stand_ins=stand_ins)
        self.go_on = threading.Event()
        self.by_kernel: list[Job] = []

    def _by_kernel(
        self,
        kind: GgmlType,
        rows: np.ndarray,
        stored: GgmlType,
        importance: np.ndarray | None,
    ) -> np.ndarray:
        if threading.current_thread().name == "compile":
            assert self.go_on.wait(WAIT)
        else:
            self.by_kernel.append(Job(kind, stored, importance is not None))
        return super()._by_kernel(kind, rows, stored, importance)


@pytest.fixture
def compiling() -> Iterator[Compiling]:
    made = Compiling()
    yield made
    made.go_on.set()
    made.close()


@pytest.mark.parametrize("kind, weighted", reference_bytes.ANSWERS)
def test_our_kernels_give_the_answers_that_are_known(kind: GgmlType, weighted: bool) -> None:
    importance = reference_bytes.sample_importance() if weighted else None
    rows = reference_bytes.sample().view(np.uint8)
    made = NumbaKernels().quantize(kind, rows, GgmlType.F32, importance)
    assert zlib.crc32(made.data) == reference_bytes.ANSWERS[kind, weighted]


@pytest.mark.parametrize("kind, weighted", reference_bytes.ANSWERS)
def test_so_does_this_libggml(kind: GgmlType, weighted: bool) -> None:
    assert reference_bytes.gives_known_bytes(kind, weighted=weighted)


def test_every_format_of_ours_has_an_answer() -> None:
    asked = block_makers.for_numba(
        Job(kind, GgmlType.F32, w) for kind in GgmlType for w in (False, True)
    )
    assert {(job.kind, job.weighted) for job in asked} == set(reference_bytes.ANSWERS)


def test_one_block_that_is_rounded_otherwise_is_another_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As compilers do that fuse: the sum is rounded once less."""
    right = reference_bytes.sample()
    other = right.copy()
    other[5, 40] = np.nextafter(other[5, 40], np.float32(1))
    assert (
        reference_bytes.answer(load_ggml(), GgmlType.Q6_K, False)
        == reference_bytes.ANSWERS[GgmlType.Q6_K, False]
    )
    monkeypatch.setattr(reference_bytes, "sample", lambda: other * np.float32(1.001))
    assert (
        reference_bytes.answer(load_ggml(), GgmlType.Q6_K, False)
        != reference_bytes.ANSWERS[GgmlType.Q6_K, False]
    )


def test_libggml_works_until_the_kernel_is_there(compiling: Compiling, rows: np.ndarray) -> None:
    compiling.prepare([JOB])
    early = compiling.quantize(JOB.kind, rows, JOB.stored)
    assert compiling.by_kernel == []
    compiling.go_on.set()
    compiling.wait()
    late = compiling.quantize(JOB.kind, rows, JOB.stored)
    assert compiling.by_kernel == [JOB]
    assert np.array_equal(early, late)


def test_what_was_not_prepared_does_not_wait_for_what_was(
    compiling: Compiling, rows: np.ndarray
) -> None:
    compiling.prepare([JOB])
    compiling.quantize(GgmlType.Q4_0, rows, GgmlType.BF16)
    assert compiling.by_kernel == [Job(GgmlType.Q4_0, GgmlType.BF16, False)]


def test_a_libggml_with_other_bytes_does_not_stand_in(
    monkeypatch: pytest.MonkeyPatch, rows: np.ndarray
) -> None:
    monkeypatch.setattr(block_makers, "gives_known_bytes", lambda kind, weighted: False)
    made = Compiling()
    made.go_on.set()
    made.prepare([JOB])
    made.quantize(JOB.kind, rows, JOB.stored)
    made.wait()
    assert made.by_kernel == [JOB]


def test_closing_ends_the_compiling_after_the_kernel_at_hand() -> None:
    made = Compiling()
    others = [Job(kind, GgmlType.BF16, False) for kind in (GgmlType.Q4_0, GgmlType.Q4_1)]
    made.prepare([JOB, *others])
    closing = threading.Thread(target=made.close)
    closing.start()
    while not made._closed:
        pass
    made.go_on.set()
    closing.join(WAIT)
    assert not closing.is_alive()
    assert made._waiting == {JOB, *others} - {min([JOB, *others])}


def test_a_compiler_that_fails_leaves_libggml_at_work(
    monkeypatch: pytest.MonkeyPatch, rows: np.ndarray
) -> None:
    def broken(self: NumbaKernels, *_: object) -> np.ndarray:
        raise RuntimeError("no such instruction")

    monkeypatch.setattr(NumbaKernels, "_by_kernel", broken)
    made = NumbaKernels(stand_ins=1)
    made.prepare([JOB])
    made.wait()
    expected = GgmlKernels("to compare").quantize(JOB.kind, rows, JOB.stored)
    assert np.array_equal(made.quantize(JOB.kind, rows, JOB.stored), expected)
    assert "failed with Q8_0: no such instruction" in made.description


def test_little_is_left_to_libggml_and_much_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    little = choose_kernels("auto", [JOB], 5_000_000)
    assert isinstance(little, GgmlKernels)
    assert "little to do" in little.description
    assert isinstance(choose_kernels("auto", [JOB], 50_000_000, 2), NumbaKernels)
    assert isinstance(choose_kernels("auto", [JOB], 50_000_000, 16), GgmlKernels)
    assert isinstance(choose_kernels("numba", [JOB], 5_000_000), NumbaKernels)
    monkeypatch.setattr(
        "qwq_gguf.quantization.kernels.dispatch.gives_known_bytes", lambda kind, weighted: False
    )
    assert isinstance(choose_kernels("auto", [JOB], 5_000_000), NumbaKernels)


def test_more_threads_than_stand_ins_wait_for_the_kernel(
    compiling: Compiling, rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is at work in libggml, so the next one gets to the kernel."""
    working, done = threading.Event(), threading.Event()
    quantize = GgmlKernels.quantize

    def slow(self: GgmlKernels, *rest: Any) -> np.ndarray:
        working.set()
        assert done.wait(WAIT)
        return quantize(self, *rest)

    monkeypatch.setattr(GgmlKernels, "quantize", slow)
    compiling.prepare([JOB])
    first = threading.Thread(target=compiling.quantize, args=(JOB.kind, rows, JOB.stored))
    first.start()
    assert working.wait(WAIT)
    assert compiling.by_kernel == []
    compiling.quantize(JOB.kind, rows, JOB.stored)
    assert compiling.by_kernel == [JOB]
    done.set()
    first.join(WAIT)


@pytest.mark.parametrize("cores", [1, 2, 3, 64])
def test_libggml_stands_in_on_cores_that_are_left(cores: int) -> None:
    made = choose_kernels("auto", [JOB], 10**10, cores)
    assert isinstance(made, NumbaKernels)
    made.prepare([JOB])
    made.wait()
    assert made.widens(GgmlType.BF16, GgmlType.Q8_0) == (cores > 2)
    asked = choose_kernels("numba", [JOB], 10**10, cores)
    assert not asked.widens(GgmlType.BF16, GgmlType.Q8_0)
