"""Run a long native call so that Ctrl-C still gets through.

Python runs signal handlers in the main thread, between its own instructions; during a
native call it hears nothing. So a helper thread makes the call and the caller waits in a
way that a handler can interrupt. Whatever the handler raises, the caller does not go on
before the call has ended: what the call works on may be freed next.
"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from typing import TypeVar

__all__ = ["run_aside"]

T = TypeVar("T")
_LOOK = 0.05  # seconds


def run_aside(work: Callable[[], T], stop: Callable[[], None]) -> T:
    """The result of `work()`. If an exception arrives meanwhile: `stop()`, wait, raise it.

    An exception may strike between any two instructions, and the threading module is not
    made for that (an interrupted Thread.join takes the thread for dead, bpo-45274). Here
    each step is atomic: a thread is started, one setdefault settles who does the work,
    one append says that it has ended.
    """
    owner: dict[str, str] = {}
    ended: list[T | BaseException] = []
    gate = _thread.allocate_lock()
    gate.acquire()

    def body() -> None:
        if owner.setdefault("owner", "helper") != "helper":
            return
        try:
            ended.append(work())
        except BaseException as error:
            ended.append(error)
        gate.release()

    try:
        _thread.start_new_thread(body, ())
        # A signal that comes just before the waiting begins wakes nobody up: look again.
        while not gate.acquire(timeout=_LOOK):
            pass
    except BaseException:
        _settle(owner, ended, gate, stop)
        raise
    result = ended[0]
    if isinstance(result, BaseException):
        raise result
    return result


def _settle(
    owner: dict[str, str], ended: list[T], gate: _thread.LockType, stop: Callable[[], None]
) -> None:
    """Return when the work has ended, or is certain never to begin."""
    while True:
        try:
            stop()
            if owner.setdefault("owner", "caller") == "caller":
                return
            while not ended:
                gate.acquire(timeout=_LOOK)
            return
        except BaseException:  # another Ctrl-C: it changes nothing
            continue
