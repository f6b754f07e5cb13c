"""Progress for whoever is watching: a terminal gets one line, a log file a line now and then."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

# In a log file: at most one line in this many seconds.
_QUIET_SECONDS = 30.0


class Meter:
    """Shows how far a task with a known number of steps is.

    `update(done, total)` may be called as often as one likes. The time left is guessed
    from the time so far, once a twentieth of the work is done.
    """

    def __init__(
        self,
        label: str,
        *,
        stream: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._label = label
        self._stream = stream
        self._clock = clock
        self._start = clock()
        self._last_shown: float | None = None
        self._live = stream.isatty()

    def update(self, done: int, total: int) -> None:
        """`done` of `total` steps are finished; a total of 0 means that it is not known yet."""
        now = self._clock()
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r\033[K" + self._line(done, total, now)[:width])
        elif self._last_shown is None or now - self._last_shown >= _QUIET_SECONDS:
            self._stream.write(self._line(done, total, now) + "\n")
            self._last_shown = now
        self._stream.flush()

    def close(self) -> None:
        """Leave the terminal on a clean line."""
        if self._live:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def _line(self, done: int, total: int, now: float) -> str:
        elapsed = now - self._start
        line = f"    {self._label}: "
        if total > 0:
            line += f"{100 * done // total:3d} %  step {done} of {total}  "
        line += f"{minutes(elapsed)} so far"
        if total > 0 and total <= 20 * done < 20 * total:
            line += f", about {minutes(elapsed * (total - done) / done)} left"
        return line


def minutes(seconds: float) -> str:
    """`83.2` as `1:23`."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
