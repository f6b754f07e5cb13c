"""A connection to the Hub that is in use, and how another thread ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Line", "Stopped"]


class Stopped(Exception):
    """Somebody called `Line.stop`."""


class Line:
    """What the downloads of one thread use one after the other, and others can cut.

    `pause` waits so many seconds, `clock` tells them; a test has its own.
    """

    def __init__(
        self,
        *,
        pause: Callable[[float], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.clock = clock
        self._stopped = threading.Event()
        self._pause = self._stopped.wait if pause is None else pause
        self._lock = threading.Lock()
        self._shut: Callable[[], None] | None = None

    def stop(self) -> None:
        """End the download in progress with Stopped, and every later one."""
        with self._lock:
            self._stopped.set()
            if self._shut is not None:
                self._shut()

    def check(self) -> None:
        """Raises Stopped after `stop`."""
        if self._stopped.is_set():
            raise Stopped

    def pause(self, seconds: float) -> None:
        """Wait, or less if it is stopped meanwhile."""
        self._pause(seconds)
        self.check()

    @contextmanager
    def using(self, shut: Callable[[], None]) -> Iterator[None]:
        """`shut` is how to end the connection in use, as long as the context lasts."""
        self._use(shut)
        try:
            yield
        finally:
            self._use(None)

    def _use(self, shut: Callable[[], None] | None) -> None:
        with self._lock:
            self._shut = shut
        self.check()
