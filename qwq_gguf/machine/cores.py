"""How many cores may be used, and which processor they belong to.

Token generation waits for memory, so a second hardware thread on a core only adds
contention: the number that matters is that of physical cores, within what the process
may run on (affinity) and may use (a container's quota).
"""

from __future__ import annotations

import hashlib
import math
import os
import platform
import subprocess
import sys
from pathlib import Path

__all__ = ["cpu_identity", "physical_cores"]

# Lines of /proc/cpuinfo that say what a processor can execute, x86 and ARM.
_IDENTITY_LINES = frozenset(
    {"vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features"}
    | {"CPU implementer", "CPU part", "CPU variant", "CPU revision", "isa"}
)


def physical_cores(root: Path = Path("/")) -> int:
    """Physical cores this process may use; at least 1.

    `root` is where /sys is looked for (Linux only).
    """
    logical = _usable_logical()
    if sys.platform == "linux":
        cores = _linux_cores(root, _affinity()) or logical
    elif sys.platform == "darwin":
        cores = _sysctl("hw.perflevel0.physicalcpu") or _sysctl("hw.physicalcpu") or logical
    else:
        # Nearly every desktop processor of the other systems runs two threads a core.
        cores = logical // 2
    quota = _cgroup_quota(root)
    if quota is not None:
        cores = min(cores, quota)
    return max(1, min(cores, logical))


def cpu_identity(root: Path = Path("/")) -> str:
    """A short stable name for this kind of processor and the instructions it announces."""
    lines: list[str] = [platform.machine()]
    try:
        text = (root / "proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        text = ""
    # One processor is enough, and later blocks differ only in numbers that move about.
    for line in text.split("\n\n", 1)[0].splitlines():
        name, _, value = line.partition(":")
        if name.strip() in _IDENTITY_LINES:
            lines.append(f"{name.strip()}={value.strip()}")
    if len(lines) == 1:
        lines.append(platform.processor())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _affinity() -> set[int]:
    if sys.platform == "linux":
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _usable_logical() -> int:
    return max(1, len(_affinity()))


def _linux_cores(root: Path, usable: set[int]) -> int | None:
    """Distinct cores among the usable logical processors, or None when /sys says nothing."""
    seen: set[str] = set()
    for cpu in usable:
        siblings = root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        try:
            seen.add(siblings.read_text("ascii").strip())
        except (OSError, UnicodeDecodeError):
            return None
    return len(seen) or None


def _cgroup_quota(root: Path) -> int | None:
    """Whole cores that a container's CPU quota (cgroup v2, then v1) leaves, rounded up."""
    try:
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        folder = root / "sys/fs/cgroup/cpu"
        try:
            quota = (folder / "cpu.cfs_quota_us").read_text("ascii").strip()
            period = (folder / "cpu.cfs_period_us").read_text("ascii").strip()
        except (OSError, ValueError):
            return None
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # "max": no quota
        return None
    return max(1, math.ceil(share)) if share > 0 else None


def _sysctl(name: str) -> int | None:
    try:
        done = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=True
        )
        return int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
