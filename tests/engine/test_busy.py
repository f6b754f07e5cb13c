"""Whether the cores are there is decided on clocks alone."""

from __future__ import annotations

import pytest

from qwq_gguf.engine.llama.busy import BusyWatch, Clocks, clocks
from qwq_gguf.engine.model import Model
from qwq_gguf.engine.session import Session
from qwq_gguf.sampling import Greedy, SamplerChain


class Bench:
    """Computes tokens by the clock."""

    def __init__(self, threads: int) -> None:
        self.watch = BusyWatch(threads)
        self.now = Clocks(100.0, 20.0, 7)

    def run(self, seconds: float, cores: float, *, token: float = 0.1, faults: float = 0) -> None:
        """Tokens that take so long each, while the threads get so many cores."""
        for _ in range(round(seconds / token)):
            then = Clocks(
                self.now.wall + token,
                self.now.processors + token * cores,
                self.now.faults + round(token * faults),
            )
            self.watch.computed(self.now, then)
            self.now = then


@pytest.mark.parametrize(
    "threads, cores, fewer",
    [(2, 1.5, 1), (2, 0.4, 1), (8, 7.4, 7), (8, 4.2, 4), (16, 1.9, 1), (4, 3.5, 3)],
)
def test_threads_that_get_less_are_said_once(threads: int, cores: float, fewer: int) -> None:
    bench = Bench(threads)
    bench.run(3.5, cores)
    assert bench.watch.take_note() is None
    bench.run(1.5, cores)
    note = bench.watch.take_note()
    assert note is not None
    assert f"-t {fewer} may" in note
    assert f"{threads} threads" in note
    assert f"get {cores:.1f} cores" in note
    bench.run(60, cores)
    assert bench.watch.take_note() is None


@pytest.mark.parametrize("threads, cores", [(2, 1.95), (2, 1.7), (8, 7.7), (1, 0.2), (1, 1.0)])
def test_a_quiet_computer_is_not(threads: int, cores: float) -> None:
    bench = Bench(threads)
    bench.run(60, cores)
    assert bench.watch.take_note() is None


def test_what_passes_is_not() -> None:
    bench = Bench(2)
    for _ in range(20):
        bench.run(3, 1.2)
        bench.run(1.5, 2.0)
    assert bench.watch.take_note() is None


def test_waiting_for_a_disk_is_not() -> None:
    bench = Bench(2)
    bench.run(60, 1.0, faults=500)
    assert bench.watch.take_note() is None
    bench.run(6, 1.0)
    assert bench.watch.take_note() is not None


def test_tokens_longer_than_a_window() -> None:
    bench = Bench(2)
    bench.run(12, 0.5, token=3.0)
    assert bench.watch.take_note() is not None


def test_the_clocks_run() -> None:
    before = clocks()
    sum(range(100_000))
    after = clocks()
    assert after.wall > before.wall
    assert after.processors > before.processors
    assert after.faults >= before.faults


def test_a_session_asks_them_where_it_can_help(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = SamplerChain((Greedy(),))
    ticks = iter(range(10**6))
    monkeypatch.setattr(
        "qwq_gguf.engine.llama.kv_context.clocks", lambda: Clocks(float(next(ticks)), 0.0)
    )
    monkeypatch.setattr(model, "gpu_layers", 0)  # as if no card computed, should there be one

    def said(threads: int) -> list[str | None]:
        monkeypatch.setattr(model, "threads", threads)
        session = Session(model)
        for _ in session.generate([5, 6, 7], chain, seed=1, max_tokens=30):
            pass
        notes = [session.take_note(), session.take_note()]
        session.close()
        return notes

    assert said(1) == [None, None]
    first, second = said(2)
    assert first is not None
    assert "-t 1" in first
    assert second is None
    monkeypatch.setattr(model, "gpu_layers", 1)  # there most of the work is elsewhere
    assert said(2) == [None, None]
