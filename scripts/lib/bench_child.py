"""Running a program for its time and its memory.

The kernel counts a child's peak from before its exec, when it still is a copy of its
parent. So a launcher runs it that is small itself: this file, without packages. It looks
meanwhile which processes the program starts, and adds their peaks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "run"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a program took. `children`: how many processes it started, as far as seen."""

    seconds: float
    user_seconds: float
    system_seconds: float
    peak_bytes: int
    children: int
    output: str
    """What it printed, both streams."""

    @property
    def cpu_seconds(self) -> float:
        """On all cores, the kernel's work for it included."""
        return self.user_seconds + self.system_seconds


def run(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Usage:
    """Run a program to its end. SystemExit with what it printed if it fails."""
    launcher = [sys.executable, "-S", "-E", __file__, *map(str, command)]
    done = subprocess.run(
        launcher, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output, _, last = done.stdout.decode("utf-8", "replace").rstrip("\n").rpartition("\n")
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{output}\n{last}")
    return Usage(**json.loads(last), output=output)


def _family(pid: int) -> list[int]:
    """The descendants of a process; none where the system does not tell."""
    found = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *_family(int(child))]
    except OSError:
        pass
    return found


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def _launch(command: list[str]) -> int:
    peaks: dict[int, int] = {}
    ended = threading.Event()
    start = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ)

    def watch() -> None:
        while not ended.wait(0.05):
            for child in _family(pid):
                peaks[child] = max(peaks.get(child, 0), _peak(child))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    ended.set()
    watcher.join()
    unit = 1 if sys.platform == "darwin" else 1024
    figures = {
        "seconds": seconds,
        "user_seconds": usage.ru_utime,
        "system_seconds": usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * unit + sum(peaks.values()),
        "children": len(peaks),
    }
    print("\n" + json.dumps(figures), flush=True)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_launch(sys.argv[1:]))
