from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from qwq_gguf.engine.llama.interruptible import run_aside


class Stop(Exception):
    pass


@pytest.fixture
def alarm() -> Iterator[None]:
    if not hasattr(signal, "setitimer"):
        pytest.skip("POSIX signals")

    def handler(_number: int, _frame: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGALRM, handler)
    # What is raised within a callback of the collector (Hypothesis has one) reaches no test.
    gc.disable()
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    gc.enable()
    signal.signal(signal.SIGALRM, before)


def test_the_result_comes_from_another_thread() -> None:
    assert run_aside(threading.get_ident, lambda: None) != threading.get_ident()


def test_an_error_in_the_work_is_raised() -> None:
    def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_aside(work, lambda: None)


@pytest.mark.usefixtures("alarm")
def test_an_interruption_waits_for_the_work_to_end() -> None:
    told = threading.Event()
    ended: list[bool] = []

    def work() -> None:
        told.wait(20)
        time.sleep(0.1)
        ended.append(True)

    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(Stop):
        run_aside(work, told.set)
    assert ended == [True]


@pytest.mark.usefixtures("alarm")
def test_a_signal_that_wakes_no_one_is_heard() -> None:
    """As one that comes just before the caller begins to wait: here another thread gets it."""
    stopped = threading.Event()

    def work() -> bool:
        signal.pthread_kill(threading.get_ident(), signal.SIGALRM)
        heard.append(stopped.wait(20))
        return True

    heard: list[bool] = []
    with pytest.raises(Stop):
        run_aside(work, stopped.set)
    assert heard == [True]


@pytest.mark.usefixtures("alarm")
def test_interruptions_at_any_moment_never_leave_work_behind() -> None:
    """Signals every few microseconds strike before, in and after every step."""
    running: list[int] = []
    interrupted = 0
    for round_ in range(200):
        quit_ = threading.Event()

        def work(quit_: threading.Event = quit_) -> None:
            running.append(1)
            quit_.wait(0.002)
            running.pop()

        try:
            signal.setitimer(signal.ITIMER_REAL, 1e-6 * (1 + 7 * round_))
            run_aside(work, quit_.set)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Stop:
            interrupted += 1
        assert running == []
    assert interrupted > 0
