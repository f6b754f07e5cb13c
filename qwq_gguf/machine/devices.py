"""Where a model can be: main memory, cards. As values, whether they are here or only named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwq_gguf.machine.card_pace import CardPace
from qwq_gguf.machine.pace import Pace

__all__ = ["GIB", "MIB", "USUAL_BANDWIDTH", "Device", "Machine", "modelled_memory"]

MIB = 1 << 20
GIB = 1 << 30
# What a driver's context and its kernels take of a card before anything of ours is there, and
# what the matrix products need for themselves; llama.cpp's buffers have neither in them.
_CARD_RESERVE = 768 * MIB
# Memory as it is in most desktops: two channels of DDR4-3200 are 51 GB/s, of which programs see
# some four fifths. https://en.wikipedia.org/wiki/DDR4_SDRAM
USUAL_BANDWIDTH = 40e9


@dataclass(frozen=True, slots=True)
class Device:
    """One memory: `free` of its `memory` bytes, read at `bandwidth` bytes a second at best.

    `source` is where the bandwidth is from, `reserve` what has to stay free. `pace` is that of the
    processor whose main memory this is, where it was measured.
    """

    name: str
    memory: int
    free: int
    bandwidth: float
    source: str
    reserve: int = _CARD_RESERVE
    number: int = 0
    pace: Pace | None = None

    @property
    def usable(self) -> int:
        """Bytes for a model."""
        return max(0, self.free - self.reserve)


@dataclass(frozen=True, slots=True)
class Machine:
    """Main memory and cards. `unified`: the card is a part of the main memory.

    `cores` are those that quantize. `card_pace` is that of all cards together, where it was
    measured.
    """

    name: str
    ram: Device
    cards: tuple[Device, ...] = ()
    unified: bool = False
    cores: int = 4
    card_pace: CardPace | None = None

    def to_json(self) -> dict[str, Any]:
        """The same for `--json`."""
        return {
            "name": self.name,
            "unified": self.unified,
            "memories": [
                {
                    "name": each.name,
                    "bytes": each.memory,
                    "usable": each.usable,
                    "reserve": each.reserve,
                    "bytes_per_second": round(each.bandwidth),
                    "source": each.source,
                }
                for each in (self.ram, *self.cards)
            ],
        }


def modelled_memory(size: int, *, bandwidth: float = USUAL_BANDWIDTH) -> Device:
    """The main memory of a machine that is not here: a system with a desktop has its part."""
    reserve = min(size // 4, 2 * GIB + size // 16)
    told = "as of two channels of DDR4-3200"
    return Device("main memory", size, size, bandwidth, told, reserve)
