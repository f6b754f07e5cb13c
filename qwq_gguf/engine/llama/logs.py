"""What the native library says, kept for error messages instead of shown.

llama.cpp logs through one process-wide callback. Lines come in pieces (a level of CONT
continues the last one) and from any thread.
"""

from __future__ import annotations

import ctypes
from collections import deque
from functools import partial
from io import BytesIO

__all__ = ["LogBuffer"]

_WARN, _ERROR, _CONT = 3, 4, 5  # enum ggml_log_level, ggml.h
_KEPT = 200
_MOST = 1 << 18  # bytes that wait to be read
_END = b"\xff\xfe\xfd"  # of what is said at once; no text in UTF-8 has it


class LogBuffer:
    """The last lines of the native log.

    `callback` and `data` are for llama_log_set. Where a token is computed in the main thread, a
    signal that came meanwhile would be handled at the callback's first instruction, if that were
    one of Python's; and what the handler raises (KeyboardInterrupt) would be lost, as no exception
    gets through C. So there is no such instruction: `max` hands `write` each of its arguments
    (the level, the text, and `data`), and both are C themselves.
    """

    data = ctypes.c_char_p(_END)

    def __init__(self) -> None:
        self._said = BytesIO()
        # The level in one byte, as `write` takes bytes.
        kind = ctypes.CFUNCTYPE(None, ctypes.c_char, ctypes.c_char_p, ctypes.c_char_p)
        self.write = partial(max, key=self._said.write)
        self.callback = kind(self.write)
        self._lines: deque[tuple[int, str]] = deque(maxlen=_KEPT)
        self._level = 0
        self._part = ""

    def trim(self) -> None:
        """To be called now and then where much may be said that nobody asks for."""
        if self._said.tell() > _MOST:
            self._read()

    def _read(self) -> None:
        """Make lines of what was said."""
        said = self._said.getvalue()
        self._said.seek(0)
        self._said.truncate()
        for call in said.split(_END)[:-1]:
            self._add(call[0], call[1:])

    def _add(self, level: int, text: bytes) -> None:
        if level != _CONT:
            self._end_line()
            self._level = level
        self._part += text.decode("utf-8", "replace")
        while "\n" in self._part:
            line, _, self._part = self._part.partition("\n")
            self._lines.append((self._level, line))
        # Progress dots come one by one and end no line for a long time.
        self._part = self._part[-2000:]

    def clear(self) -> None:
        """Forget everything, before a call whose complaints are to be told apart."""
        self._read()
        self._lines.clear()
        self._part = ""

    def lines(self) -> tuple[str, ...]:
        """All that is kept, oldest first."""
        self._read()
        return tuple(line for _, line in self._lines)

    def complaints(self) -> tuple[str, ...]:
        """Warnings and errors, oldest first."""
        self._read()
        self._end_line()
        return tuple(line for level, line in self._lines if level in (_WARN, _ERROR) and line)

    def errors(self) -> tuple[str, ...]:
        """Errors only, oldest first."""
        self._read()
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
