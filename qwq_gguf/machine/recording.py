"""What programs and files of a computer say of it, as one value that can be kept and read again.

Looking is one thing, and what it means is another: `look` runs programs and reads files; all else
(`driver_reports.py`, `installed.py`, `findings.py`) works on what they said, here or on any
other computer.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["CARD_COMMANDS", "COMMANDS", "Output", "Recording", "look"]

_SECONDS = 15.0
_MOST_TEXT = 1 << 18
_SMI = "index,name,memory.total,memory.free,compute_cap,driver_version"

# What tells of cards: `fit` asks these and no more.
CARD_COMMANDS: Mapping[str, Sequence[str]] = {
    "nvidia-smi": ("nvidia-smi", f"--query-gpu={_SMI}", "--format=csv,noheader,nounits"),
    "sysctl": (
        "/usr/sbin/sysctl",
        "hw.memsize",
        "machdep.cpu.brand_string",
        "iogpu.wired_limit_mb",
    ),
}
COMMANDS: Mapping[str, Sequence[str]] = {
    **CARD_COMMANDS,
    "nvidia-smi-plain": ("nvidia-smi",),
    "nvcc": ("nvcc", "--version"),
    "hipconfig": ("hipconfig", "--version"),
    "vulkaninfo": ("vulkaninfo", "--summary"),
    "c++": ("c++", "--version"),
    "cl": ("cl",),
    "uv": ("uv", "--version"),
    "ollama": ("ollama", "--version"),
    "sw_vers": ("sw_vers", "-productVersion"),
    "xcode-select": ("xcode-select", "-p"),
}
# Below the root; a star stands for any name in a folder.
_CARD_FILES = (
    "proc/driver/nvidia/version",
    "sys/class/kfd/kfd/topology/nodes/*/properties",
    "sys/class/drm/card*/device/vendor",
    "sys/class/drm/card*/device/product_name",
    "sys/class/drm/card*/device/mem_info_vram_total",
    "sys/class/drm/card*/device/mem_info_vram_used",
)
_FILES = (
    *_CARD_FILES,
    "proc/version",
    "proc/cpuinfo",
    "etc/os-release",
    "proc/1/cgroup",
    "run/.containerenv",
    ".dockerenv",
    "sys/module/amdgpu/version",
    "usr/lib/wsl/lib/nvidia-smi",
)
_BINARY = frozenset({"usr/lib/wsl/lib/nvidia-smi"})


@dataclass(frozen=True, slots=True)
class Output:
    """What a program said: its status is None where there is no such program."""

    status: int | None
    out: str = ""
    err: str = ""

    @property
    def good(self) -> bool:
        """Whether it ran and was content."""
        return self.status == 0


_ABSENT = Output(None)


@dataclass(frozen=True, slots=True)
class Recording:
    """A computer: its `system` as `sys.platform` has it, its `processor` as
    `platform.machine()`, what programs said by name, what files hold by path below the root.
    """

    system: str
    processor: str
    outputs: Mapping[str, Output] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def output(self, name: str) -> Output:
        """What the program said of that name in COMMANDS."""
        return self.outputs.get(name, _ABSENT)

    def file(self, path: str) -> str | None:
        """What a file holds; None for none."""
        return self.files.get(path)

    def below(self, start: str, end: str) -> dict[str, str]:
        """The files whose paths begin and end so, by path, in the order of the numbers in them."""
        found = {p: t for p, t in self.files.items() if p.startswith(start) and p.endswith(end)}
        return dict(sorted(found.items(), key=lambda pair: (len(pair[0]), pair[0])))

    def to_json(self) -> dict[str, Any]:
        """All of it, to be kept."""
        return {
            "system": self.system,
            "processor": self.processor,
            "outputs": {
                name: {"status": each.status, "out": each.out, "err": each.err}
                for name, each in self.outputs.items()
                if each.status is not None
            },
            "files": dict(self.files),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recording:
        """The same back; KeyError or TypeError for anything else."""
        outputs = {
            name: Output(each["status"], each.get("out", ""), each.get("err", ""))
            for name, each in value["outputs"].items()
        }
        return cls(value["system"], value["processor"], outputs, dict(value["files"]))


def look(*, cards_only: bool = False, root: Path = Path("/")) -> Recording:
    """Look at this computer. Programs that do not answer within 15 seconds count as failed.

    `root` is where files are looked for.
    """
    import platform

    commands = CARD_COMMANDS if cards_only else COMMANDS
    with ThreadPoolExecutor(4) as pool:
        said = dict(zip(commands, pool.map(_run, commands.values()), strict=True))
    files: dict[str, str] = {}
    for pattern in _CARD_FILES if cards_only else _FILES:
        for path in _matching(root, pattern):
            text = _text(path, binary=pattern in _BINARY)
            if text is not None:
                if pattern == "proc/cpuinfo":
                    text = text.partition("\n\n")[0]  # the others say the same
                files[path.relative_to(root).as_posix()] = text
    return Recording(sys.platform, platform.machine(), said, files)


def _matching(root: Path, pattern: str) -> list[Path]:
    if "*" not in pattern:
        return [root / pattern]
    try:
        return sorted(root.glob(pattern))
    except OSError:
        return []


def _text(path: Path, *, binary: bool) -> str | None:
    try:
        if binary:
            return "" if path.exists() else None
        with path.open("rb") as file:
            return file.read(_MOST_TEXT).decode("utf-8", "replace")
    except OSError:
        return None


def _run(command: Sequence[str]) -> Output:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return _ABSENT
    except (OSError, subprocess.SubprocessError) as error:
        return Output(-1, "", str(error)[:200])
    return Output(done.returncode, done.stdout[:_MOST_TEXT], done.stderr[:_MOST_TEXT])
