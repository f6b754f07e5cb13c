"""A limit on time for what is read from a stranger: at its end the connection is cut.

A timeout of a socket begins anew with every byte, so a server that sends one every few
seconds, or `100 Continue` without end, holds a reader for ever. Here the whole exchange has
one time, whatever comes meanwhile.
"""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self

__all__ = ["Deadline"]


class Deadline:
    """Cuts `watched` sockets after so many seconds, unless the context has ended before.

    What reads from them then fails, and `passed` says why.
    """

    def __init__(self, seconds: float) -> None:
        self._change = threading.Condition()
        self._until = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._ended = self._cut = False
        self.passed = False
        """Whether the time ran out before the end of the context."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="deadline", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._change:
            self._ended = True
            self._socket = None
            self._change.notify()

    def watch(self, connection: socket.socket) -> None:
        """Cut this one, and none that was named before; at once if the time is over."""
        with self._change:
            self._socket = connection
            if self._cut:
                _hang_up(connection)

    def cut(self) -> None:
        """Do it now, from any thread."""
        with self._change:
            self._cut = True
            if self._socket is not None:
                _hang_up(self._socket)

    def extend(self, seconds: float) -> None:
        """So many seconds from now, if it has not passed yet."""
        with self._change:
            self._until = time.monotonic() + seconds
            self._change.notify()

    def _watch(self) -> None:
        with self._change:
            while not self._ended:
                left = self._until - time.monotonic()
                if left > 0:
                    self._change.wait(left)
                    continue
                self.passed = self._cut = True
                if self._socket is not None:
                    _hang_up(self._socket)
                return


def _hang_up(connection: socket.socket) -> None:
    """End what reads from a socket, from another thread."""
    try:
        # Not an SSLSocket's own method, which takes its state from under the reader.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:  # it is closed
        pass
