"""How fast this computer's cores read its memory: measured in some two seconds."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

from qwq_gguf.machine.cores import usable_processors

__all__ = ["is_busy", "measure_bandwidth"]

_SECONDS = 2.0
_BUSY = 0.25  # programs a core that want to run, in the last minute


def is_busy() -> bool:
    """Whether others have used this computer's cores in the last minute; no, where nobody tells."""
    load = getattr(os, "getloadavg", None)
    try:
        return load is not None and load()[0] > _BUSY * usable_processors()
    except OSError:
        return False


def measure_bandwidth(threads: int, nbytes: int, *, seconds: float = _SECONDS) -> float:
    """Bytes a second that so many threads read at once, the best of the rounds.

    `nbytes` of them have to be more than any cache holds: some processors share 300 MB.
    """
    import numpy as np

    data = np.ones(nbytes // 8, np.int64)  # each page is there from now on
    parts = np.array_split(data, threads)
    best, end = 0.0, time.perf_counter() + seconds
    with ThreadPoolExecutor(threads) as pool:
        while True:
            began = time.perf_counter()
            # A maximum is one instruction a vector; numpy lets go of Python's lock.
            list(pool.map(np.max, parts))
            now = time.perf_counter()
            best = max(best, nbytes / (now - began))
            if now >= end:
                return best
