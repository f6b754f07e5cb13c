"""Reading back what a journal says is written: a file's rows against their checksums."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from qwq_gguf.machine import usable_processors

__all__ = ["Check", "check_all"]

_WINDOW = 1 << 22
_AT_ONCE = 4  # a disk is seldom faster than four checksums


class Check(NamedTuple):
    """A range of an open file and the CRC-32 that it should have."""

    descriptor: int
    start: int
    nbytes: int
    crc: int


def check_all(
    checks: Sequence[Check], progress: Callable[[int, int], None] | None = None
) -> list[bool]:
    """For each, whether it holds. `progress` hears the bytes done and those in all."""
    total, done = sum(check.nbytes for check in checks), 0
    found: list[bool] = []
    pool = ThreadPoolExecutor(min(_AT_ONCE, usable_processors()), thread_name_prefix="check")
    try:
        for check, holds in zip(checks, pool.map(_holds, checks), strict=True):
            found.append(holds)
            done += check.nbytes
            if progress is not None:
                progress(done, total)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return found


def _holds(check: Check) -> bool:
    crc, at, left = 0, check.start, check.nbytes
    while left:
        try:
            part = os.pread(check.descriptor, min(left, _WINDOW), at)
        except OSError:  # what cannot be read is made again
            return False
        if not part:
            return False
        crc = zlib.crc32(part, crc)
        at, left = at + len(part), left - len(part)
    return crc == check.crc
