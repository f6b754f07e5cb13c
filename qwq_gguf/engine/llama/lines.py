"""Whether the workers of a model are still there, seen without asking them.

llama.cpp ends the process when it uses a worker that has gone, to compute or only to free what it
had there. A worker can't be asked: it serves one connection, which is llama.cpp's, and a second
one would wait behind it. But while nothing is computed nothing is on that connection, and the
system knows whether the other side has closed it. A machine that lost its power closes nothing.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import WorkerLostError

if TYPE_CHECKING:
    from qwq_gguf.engine.llama.rpc_devices import Worker

__all__ = ["Lines"]

_OPEN_FILES = Path("/dev/fd")  # Linux and macOS; elsewhere nothing is seen


class Lines:
    """The connections from this process to some workers, as they are when this is made."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._lines = tuple(_lines(workers)) if workers else ()
        self._lost: Worker | None = None

    @property
    def lost(self) -> bool:
        """Whether one of them has ended. What llama.cpp has there can't even be freed then."""
        return self._gone() is not None

    def check(self) -> None:
        """WorkerLostError once a worker has gone."""
        if self._lines and (gone := self._gone()) is not None:
            raise WorkerLostError(
                "a worker has gone, and what it had of the model with it",
                found=str(gone),
                hint="start it there again, and then this program",
            )

    def _gone(self) -> Worker | None:
        if self._lost is None:
            self._lost = next((worker for fd, worker in self._lines if _is_closed(fd)), None)
        return self._lost


def _lines(workers: Sequence[Worker]) -> Iterator[tuple[int, Worker]]:
    """Descriptors that are connected to one of these, each with whose it is."""
    places = {place: worker for worker in workers for place in _places(worker)}
    try:
        names = [entry.name for entry in _OPEN_FILES.iterdir()]
    except OSError:
        return
    for descriptor in sorted(int(name) for name in names if name.isdigit()):
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            line = socket.socket(fileno=descriptor)
        except OSError:
            continue
        try:
            worker = places.get(line.getpeername()[:2])
        except (OSError, TypeError):
            worker = None
        finally:
            line.detach()
        if worker is not None:
            yield descriptor, worker


def _places(worker: Worker) -> list[tuple[str, int]]:
    try:
        found = socket.getaddrinfo(worker.host, worker.port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        return []
    return [(str(place[0]), int(place[1])) for *_, place in found]


def _is_closed(descriptor: int) -> bool:
    """Whether the other side has closed it; what it has sent stays to be read."""
    try:
        line = socket.socket(fileno=descriptor)
    except OSError:
        return True
    try:
        return not line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        line.detach()
