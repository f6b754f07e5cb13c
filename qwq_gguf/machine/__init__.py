"""What this computer is and can: cores, memory and what fits into it, accelerator cards."""

from __future__ import annotations

from qwq_gguf.machine.cards import Card, find_cards
from qwq_gguf.machine.cores import (
    cpu_identity,
    physical_cores,
    processor_name,
    usable_processors,
)
from qwq_gguf.machine.kv_cache import KvShape, check_cache_fits
from qwq_gguf.machine.memory import available_memory, total_memory, used_memory
from qwq_gguf.machine.open_files import allow_open_files

__all__ = [
    "Card",
    "KvShape",
    "allow_open_files",
    "available_memory",
    "check_cache_fits",
    "cpu_identity",
    "find_cards",
    "physical_cores",
    "processor_name",
    "total_memory",
    "usable_processors",
    "used_memory",
]
