"""Locks on open files that end with the process, however it ends."""

from __future__ import annotations

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["lock"]


def lock(descriptor: int) -> bool:
    """Lock an open file or folder until the descriptor is closed; whether nobody else has it.

    It keeps out only those who ask as well:
    https://man7.org/linux/man-pages/man2/flock.2.html.
    True also where there are no such locks, as on some filesystems of a network.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
