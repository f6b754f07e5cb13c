"""What a reply has of a time in which several are made. Pure, but for the clock it is given."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

__all__ = ["SharedTime"]


class SharedTime:
    """A clock that runs the slower the more replies it is shared by, from any thread.

    What it shows between a reply's `begin` and `end` is that reply's share: of two made at once
    each has half. So the shares of all replies add up to the time in which there was any.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._lock = Lock()
        self._open = 0
        self._at = clock()
        self._shown = 0.0

    def begin(self) -> float:
        """One more is being made; what the clock shows."""
        with self._lock:
            shown = self._go_on()
            self._open += 1
            return shown

    def end(self, begun: float) -> float:
        """One is done that began when the clock showed `begun`: its share in seconds."""
        with self._lock:
            shown = self._go_on()
            self._open -= 1
            return shown - begun

    def _go_on(self) -> float:
        now = self._clock()
        if self._open:
            self._shown += (now - self._at) / self._open
        self._at = now
        return self._shown
