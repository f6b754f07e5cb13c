"""How much memory is there to load a model into, and how much this process has."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["available_memory", "used_memory"]


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that can be used without swapping, or None when the system does not say.

    On Linux this includes the page cache (a mapped model lives there) and respects a
    container's limit. `root` is where /proc and /sys are looked for.
    """
    if sys.platform != "linux":
        return _total_pages()
    free = _meminfo(root / "proc/meminfo", "MemAvailable")
    limit = _number(root / "sys/fs/cgroup/memory.max")
    used = _number(root / "sys/fs/cgroup/memory.current")
    if limit is not None and used is not None:
        left = max(0, limit - used)
        return left if free is None else min(free, left)
    return free


def used_memory() -> int | None:
    """Bytes of memory that this process has now, its libraries included; None if unknown.

    Where the system tells only the most there ever was, it is that.
    """
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _meminfo(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        number = value.split()
        if key == name and number and number[0].isdigit():
            return int(number[0]) * 1024
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):  # "max": no limit
        return None


def _total_pages() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
