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

from qwq_gguf.machine.cgroup import Group, groups

__all__ = ["cpu_identity", "physical_cores", "processor_name", "usable_processors"]

# Lines of /proc/cpuinfo that say what a processor can execute, x86 and ARM.
_IDENTITY_LINES = frozenset(
    {"vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features"}
    | {"CPU implementer", "CPU part", "CPU variant", "CPU revision", "isa"}
)


def physical_cores(root: Path = Path("/")) -> int:
    """Physical cores this process may use; at least 1.

    `root` is where /proc and /sys are looked for (Linux only).
    """
    logical = _usable_logical()
    if sys.platform == "linux":
        cores = _linux_cores(root, _affinity()) or logical
    elif sys.platform == "darwin":
        cores = _sysctl("hw.perflevel0.physicalcpu") or _sysctl("hw.physicalcpu") or logical
    else:
        # Nearly every desktop processor of the other systems runs two threads a core.
        cores = logical // 2
    quota = _quota(root)
    if quota is not None:
        cores = min(cores, quota)
    return max(1, min(cores, logical))


def usable_processors(root: Path = Path("/")) -> int:
    """Threads that can compute at once in this process, hardware threads counted; at least 1.

    What the machine has counts for nothing: within affinity and quota more only wait.
    """
    logical, quota = _usable_logical(), _quota(root)
    return logical if quota is None else min(logical, quota)


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


def processor_name(root: Path = Path("/")) -> str:
    """What the processor calls itself, for people; empty where nobody says."""
    try:
        text = (root / "proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        text = ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor()


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
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


def _quota(root: Path) -> int | None:
    """Whole cores that the quotas of the process's control groups leave, rounded up."""
    shares = [share for group in groups(root, "cpu") if (share := _share(group)) is not None]
    return max(1, math.ceil(min(shares))) if shares else None


def _share(group: Group) -> float | None:
    """Cores' worth of time that one group allows; None for any."""
    try:
        if group.version == 2:
            quota, period = (group.folder / "cpu.max").read_text("ascii").split()
        else:
            quota = (group.folder / "cpu.cfs_quota_us").read_text("ascii")
            period = (group.folder / "cpu.cfs_period_us").read_text("ascii")
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max", or nothing of the kind
        return None
    return share if share > 0 else None


def _sysctl(name: str) -> int | None:
    try:
        done = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=True
        )
        return int(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
