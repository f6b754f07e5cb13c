"""Whether other programs take the cores that this one computes with.

llama.cpp's threads meet after each operation and spin until the last one is there. Where one of
them has to wait for a core, all do: with another program on a core of two, one thread is faster
than two. That shows in the time on a processor, which spinning takes as well: less than that of
the clock for each thread. The number of threads is not changed behind a user's back, because it
changes the order of sums and with it what a seed gives.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["BusyWatch", "Clocks", "clocks"]

_WINDOW = 1.0  # seconds
_WINDOWS = 4  # in a row, so that a page that loads in a browser is no reason
_LOST = 0.4  # cores; what a quiet desktop does beside it takes less
_FAULTS = 50  # a second: then it waits for the disk that the weights lie on


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds on the wall, seconds of this process on all processors together, and how many
    pages it had to read from a disk, each from any moment on.
    """

    wall: float
    processors: float
    faults: int = 0


def clocks() -> Clocks:
    """Those of this process now."""
    return Clocks(time.perf_counter(), time.process_time(), _faults())


def _no_faults() -> int:
    return 0


_faults: Callable[[], int] = _no_faults
try:
    import resource
except ImportError:  # Windows
    pass
else:

    def _faults() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_majflt


class BusyWatch:
    """Is told the clocks before and after each token, and says once if the cores are not there."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._wall = self._processors = 0.0
        self._faults = 0
        self._lost: list[float] = []
        self._note: str | None = None
        self.done = threads < 2
        """Whether there is nothing to find out any more."""

    def computed(self, before: Clocks, after: Clocks) -> None:
        """A token was computed between these."""
        if self.done:
            return
        self._wall += after.wall - before.wall
        self._processors += after.processors - before.processors
        self._faults += after.faults - before.faults
        if self._wall < _WINDOW:
            return
        lost = self._threads - self._processors / self._wall
        if lost < _LOST or self._faults > _FAULTS * self._wall:
            self._lost.clear()
        else:
            self._lost.append(lost)
        self._wall = self._processors = 0.0
        self._faults = 0
        if len(self._lost) == _WINDOWS:
            self._say(self._threads - sum(self._lost) / _WINDOWS)

    def take_note(self) -> str | None:
        """What there is to say, the first time that this is asked."""
        note, self._note = self._note, None
        return note

    def _say(self, cores: float) -> None:
        self.done = True
        fewer = max(1, min(self._threads - 1, int(cores)))
        self._note = (
            f"other programs keep this computer busy: {self._threads} threads, which wait for each "
            f"other, get {cores:.1f} cores' worth of time; -t {fewer} may be much faster now"
        )
