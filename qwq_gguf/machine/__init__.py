"""What this computer is and can: cores, memory, accelerator cards."""

from __future__ import annotations

from qwq_gguf.machine.cards import Card, find_cards
from qwq_gguf.machine.cores import cpu_identity, physical_cores, usable_processors
from qwq_gguf.machine.limits import allow_open_files
from qwq_gguf.machine.memory import available_memory, used_memory

__all__ = [
    "Card",
    "allow_open_files",
    "available_memory",
    "cpu_identity",
    "find_cards",
    "physical_cores",
    "usable_processors",
    "used_memory",
]
