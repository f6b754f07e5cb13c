"""What the native library says, kept for error messages instead of shown.

llama.cpp logs through one process-wide callback. Lines come in pieces (a level of CONT
continues the last one) and from any thread.
"""

from __future__ import annotations

import ctypes
from collections import deque

__all__ = ["LogBuffer"]

_WARN, _ERROR, _CONT = 3, 4, 5  # enum ggml_log_level, ggml.h
_KEPT = 200


class LogBuffer:
    """The last lines of the native log."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=_KEPT)
        self._level = 0
        self._part = ""

    def write(self, level: int, text: bytes | None, _data: ctypes.c_void_p | None = None) -> None:
        """The callback. Must not raise: its caller is C."""
        if level != _CONT:
            self._end_line()
            self._level = level
        self._part += (text or b"").decode("utf-8", "replace")
        while "\n" in self._part:
            line, _, self._part = self._part.partition("\n")
            self._lines.append((self._level, line))
        # Progress dots come one by one and end no line for a long time.
        self._part = self._part[-2000:]

    def clear(self) -> None:
        """Forget everything, before a call whose complaints are to be told apart."""
        self._lines.clear()
        self._part = ""

    def complaints(self) -> tuple[str, ...]:
        """Warnings and errors, oldest first."""
        self._end_line()
        return tuple(line for level, line in self._lines if level in (_WARN, _ERROR) and line)

    def errors(self) -> tuple[str, ...]:
        """Errors only, oldest first."""
        self._end_line()
        return tuple(line for level, line in self._lines if level == _ERROR and line)

    def reason(self) -> str | None:
        """The line that most likely says why a call failed: the first error.

        llama.cpp reports a failure once where it happens and again on every level above.
        """
        for line in self.errors() or self.complaints()[-1:]:
            # "llama_model_load: error loading model: ..." - the function is no news.
            return line.partition(": ")[2] or line
        return None

    def _end_line(self) -> None:
        if self._part:
            self._lines.append((self._level, self._part))
            self._part = ""
