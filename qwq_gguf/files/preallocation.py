"""Room on a disk, taken before it is needed."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from functools import cache
from typing import Any

__all__ = ["allocated", "reserve"]

_UNABLE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.EPERM)


def reserve(descriptor: int, size: int) -> None:
    """Give a file its size and, where the filesystem can, the room for all of it.

    A disk that is too full is then known before hours of work. OSError. Not by
    posix_fallocate: where the filesystem cannot, glibc writes to every block instead.
    """
    os.ftruncate(descriptor, size)
    fallocate = _fallocate()
    if fallocate is None or size == 0:
        return
    while fallocate(descriptor, 0, 0, size) != 0:
        problem = ctypes.get_errno()
        if problem in _UNABLE:
            return
        if problem != errno.EINTR:
            raise OSError(problem, os.strerror(problem))


def allocated(status: os.stat_result) -> int:
    """Bytes of disk that a file takes, at most its size."""
    return min(status.st_size, status.st_blocks * 512)


@cache
def _fallocate() -> Any:
    """Linux's system call of this name, https://man7.org/linux/man-pages/man2/fallocate.2.html."""
    if not sys.platform.startswith("linux") or sys.maxsize < 2**32:
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return function
