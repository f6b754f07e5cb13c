"""Which accelerator cards are in this computer, whether or not our build can use them.

Only cheap signs are read (files, one sysctl's worth of platform facts): the question is
"should we shout that this build is CPU-only?", not "how much memory has the card?".
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Card", "find_cards"]


@dataclass(frozen=True, slots=True)
class Card:
    """An accelerator: who makes it, its name where known, the build that would use it."""

    maker: str
    name: str
    build: str


def find_cards(root: Path = Path("/")) -> tuple[Card, ...]:
    """The cards whose drivers are there, NVIDIA first; empty when none is.

    `root` is where /proc and /sys are looked for.
    """
    if sys.platform == "darwin":
        if platform.machine() == "arm64":
            return (Card("Apple", "Apple GPU", "Metal"),)
        return ()
    return (*_nvidia(root), *_amd(root))


def _nvidia(root: Path) -> tuple[Card, ...]:
    """NVIDIA cards as the kernel driver lists them (it makes a folder a card).

    Under WSL the driver is Windows': there only its tools show that a card is there.
    """
    cards = []
    try:
        folders = sorted((root / "proc/driver/nvidia/gpus").iterdir())
    except OSError:
        signs = ("dev/nvidia0", "usr/lib/wsl/lib/nvidia-smi")
        there = any((root / sign).exists() for sign in signs)
        return (Card("NVIDIA", "NVIDIA GPU", "CUDA"),) if there else ()
    for folder in folders:
        name = "NVIDIA GPU"
        try:
            for line in (folder / "information").read_text("utf-8", "replace").splitlines():
                key, _, value = line.partition(":")
                if key.strip() == "Model" and value.strip():
                    name = value.strip()
        except OSError:
            pass
        cards.append(Card("NVIDIA", name, "CUDA"))
    return tuple(cards)


def _amd(root: Path) -> tuple[Card, ...]:
    """AMD cards as ROCm's kernel driver lists them: topology nodes with compute units."""
    cards = []
    try:
        nodes = sorted((root / "sys/class/kfd/kfd/topology/nodes").iterdir())
    except OSError:
        return ()
    for node in nodes:
        try:
            properties = (node / "properties").read_text("ascii", "replace").splitlines()
        except OSError:
            continue
        values = dict(line.split(None, 1) for line in properties if len(line.split()) == 2)
        # A node without SIMD units is the processor itself.
        if values.get("simd_count", "0").strip() not in ("0", ""):
            cards.append(Card("AMD", "AMD GPU", "HIP"))
    return tuple(cards)
