"""All that a context knows of one sequence, as bytes, and back.

llama.cpp checks these bytes for what it happens to trip over, not for malice: give it only
what it has written itself.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

__all__ = ["SequenceState", "put_state", "take_state"]


@dataclass(frozen=True, slots=True)
class SequenceState:
    """The tokens of a sequence, and what was computed of them: keys, values, recurrent states."""

    tokens: tuple[int, ...]
    data: bytes


def take_state(api: Any, context: int, sequence: int = 0) -> bytes:
    """The state of a sequence; empty if llama.cpp gives none. Whoever calls holds the context."""
    size = api.llama_state_seq_get_size(context, sequence)
    buffer = (ctypes.c_uint8 * size)()
    written = api.llama_state_seq_get_data(context, buffer, size, sequence)
    return bytes(memoryview(buffer)[:written])


def put_state(
    api: Any, context: int, memory: Any, data: bytes, tokens: int, sequence: int = 0
) -> bool:
    """Make it the state of a sequence, which has `tokens` tokens; else that is empty, and False."""
    api.llama_memory_seq_rm(memory, sequence, -1, -1)
    buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    read = api.llama_state_seq_set_data(context, buffer, len(data), sequence)
    last = api.llama_memory_seq_pos_max(memory, sequence)
    if read == len(data) and last == tokens - 1:
        return True
    api.llama_memory_seq_rm(memory, sequence, -1, -1)
    return False
