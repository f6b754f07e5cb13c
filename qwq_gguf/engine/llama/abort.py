"""Stop a computation from outside, without calling Python from inside it.

llama.cpp asks a C callback before every node of a graph whether to go on. A Python
callback would take the interpreter's lock thousands of times a token. strlen has the
right shape: of an empty string it says 0, go on; of a string of one byte 1, stop.
"""

from __future__ import annotations

import ctypes
from typing import Any

from qwq_gguf.native import libc

__all__ = ["AbortFlag"]


class AbortFlag:
    """A flag that C code reads. Keep it alive as long as the context that uses it."""

    def __init__(self, api: Any) -> None:
        self._text = ctypes.create_string_buffer(2)
        self.callback = ctypes.cast(libc().strlen, api.ggml_abort_callback)
        self.data = ctypes.cast(self._text, ctypes.c_void_p)

    def set(self) -> None:
        """Stop what is being computed, and everything until `clear`."""
        self._text[0] = b"x"

    def clear(self) -> None:
        """Let computations run."""
        self._text[0] = b"\0"

    def is_set(self) -> bool:
        """Whether `set` was called since the last `clear`."""
        return bool(self._text[0] != b"\0")
