"""How much memory is there to load a model into, and how much this process has."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from qwq_gguf.machine.cgroup import Group, groups, number_in, statistics

__all__ = ["available_memory", "total_memory", "used_memory"]

_NO_LIMIT = 1 << 60  # version 1 says a number that no machine has


def available_memory(root: Path = Path("/")) -> int | None:
    """Bytes that can be used without swapping, or None when the system does not say.

    On Linux this includes the page cache (a mapped model lives there) and respects a
    container's limit. `root` is where /proc and /sys are looked for.
    """
    if sys.platform != "linux":
        return _total_pages()
    free = _meminfo(root / "proc/meminfo", "MemAvailable")
    left = [free, *(_left(group) for group in groups(root, "memory"))]
    return min((each for each in left if each is not None), default=None)


def total_memory(root: Path = Path("/")) -> int | None:
    """Bytes of memory that this process could ever have: all there is, or its groups' limit."""
    if sys.platform != "linux":
        return _total_pages()
    whole = _meminfo(root / "proc/meminfo", "MemTotal")
    limits = [whole, *(_limit(group) for group in groups(root, "memory"))]
    return min((each for each in limits if each is not None), default=None)


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


def _left(group: Group) -> int | None:
    """What a control group may take beyond what it has; None for any amount.

    The page cache counts as taken there, but gives way: as in the kernel's own MemAvailable,
    pages of files on either list are free, and so is what can be reclaimed of the slabs.
    """
    folder, limit = group.folder, _limit(group)
    if group.version == 2:
        used, total = number_in(folder / "memory.current"), ""
    else:
        used, total = number_in(folder / "memory.usage_in_bytes"), "total_"
    if limit is None or used is None:
        return None
    held = statistics(folder / "memory.stat")
    names = (f"{total}inactive_file", f"{total}active_file", "slab_reclaimable")
    cache = min(used, sum(held.get(name, 0) for name in names))
    return max(0, limit - used + cache)


def _limit(group: Group) -> int | None:
    names = ("memory.max", "memory.high") if group.version == 2 else ("memory.limit_in_bytes",)
    limits = [number_in(group.folder / name) for name in names]
    return min((each for each in limits if each is not None and each < _NO_LIMIT), default=None)


def _total_pages() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
