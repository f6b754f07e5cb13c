"""What is typed while nobody asks for it, as lines to come. Pure."""

from __future__ import annotations

import codecs
import re
from collections import deque

__all__ = ["ANSWER_KEY", "Typing"]

ANSWER_KEY = "\x14"  # Ctrl-T
_MOST = 1 << 20  # characters that wait
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*[@-~]|O[A-Za-z]|[^\[O])")
_ESCAPE_BEGUN = re.compile(r"\x1b(?:\[[0-9;?<>=]*[ -/]*|O)?\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Typing:
    """Bytes of a terminal in; lines that were ended by Enter, and one that was not yet.

    Backspace, Ctrl-U and Ctrl-W edit that one, as the terminal itself would have it; what moves
    a cursor is left out. Enter alone is no line.
    """

    def __init__(self) -> None:
        self.lines: deque[str] = deque()
        self.line = ""  # the one that is being typed
        #: Whether Ctrl-D was pressed at the beginning of a line: nothing more comes.
        self.ended = False
        self.held = False
        """Whether the lines are to be looked at before they are sent."""
        self._decode = codecs.getincrementaldecoder("utf-8")("ignore").decode
        self._rest = ""  # the beginning of an escape sequence

    def feed(self, keys: bytes) -> int:
        """Take what was typed; how often the key to answer now was among it."""
        text = self._rest + self._decode(keys)
        begun = _ESCAPE_BEGUN.search(text)
        self._rest = "" if begun is None else begun.group()
        text = text[: len(text) - len(self._rest)]
        answers = 0
        for key in _ESCAPE.sub("", text):
            if key == ANSWER_KEY:
                answers += 1
            else:
                self._press(key)
        return answers

    def take(self) -> str | None:
        """The next line that was ended, None where there is none."""
        return self.lines.popleft() if self.lines else None

    def take_rest(self) -> str:
        """The line that was not ended; it is then no more."""
        rest, self.line, self._rest = self.line, "", ""
        return rest

    def drop(self, line: str) -> bool:
        """Whether this line was typed; it is then no more."""
        if line in self.lines:
            self.lines.remove(line)
            return True
        return False

    @property
    def waiting(self) -> str:
        """All of it, to look at."""
        return "\n".join((*self.lines, self.line))

    def _press(self, key: str) -> None:
        match key:
            case "\r" | "\n":
                if self.line.strip():
                    self.lines.append(self.line)
                self.line = ""
            case "\x7f" | "\x08":
                self.line = self.line[:-1]
            case "\x15":  # Ctrl-U
                self.line = ""
            case "\x17":  # Ctrl-W
                self.line = re.sub(r"\S*\s*\Z", "", self.line)
            case "\x04":
                self.ended = self.ended or not self.line
            case _ if not _CONTROL.match(key) and len(self.line) < _MOST:
                self.line += key
