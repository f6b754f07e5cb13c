"""Word wrap for text that arrives in pieces. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

__all__ = ["StreamWrapper", "cells", "for_width"]

# Lines that are there to be copied, whole: a terminal gives them back unbroken.
_COPIED = re.compile(r"  (?:try|or):| *(?:now: )?(?:CMAKE_ARGS=|(?:curl|ollama|pip|qwq-gguf|uv) )")


def cells(text: str) -> int:
    """How many columns a text takes: two a wide character, none a mark upon one."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def for_width(text: str, width: int | None) -> str:
    """Lines broken between words, what goes on as deep as its line began; None breaks nothing.

    A word that is wider than the terminal is left to it.
    """
    if width is None:
        return text
    return "\n".join(
        line if _COPIED.match(line) else _broken(line, width) for line in text.split("\n")
    )


def _broken(line: str, width: int) -> str:
    if cells(line) <= width:
        return line
    depth = len(line) - len(line.lstrip(" "))
    # A list's second column goes on in its column.
    column = re.match(r" *\S+(?: \S+)*  +(?=\S)", line)
    if column is not None and column.end() <= width // 2:
        depth = column.end()
    lines, now = [], ""
    for piece in re.findall(r"\s*\S+", line):
        if now.strip() and cells(now + piece) > width:
            lines.append(now)
            now = " " * depth + piece.lstrip()
        else:
            now += piece
    return "\n".join([*lines, now])


class StreamWrapper:
    """Wraps a stream at `width` cells, indenting every line by `indent` spaces.

    A word is held back until its end is known, so no word is cut by the edge of the
    terminal unless it is wider than a line. `cells` measures text as the terminal shows it
    (a Chinese character takes two cells).
    """

    def __init__(self, width: int, *, indent: int = 0, cells: Callable[[str], int] = len) -> None:
        self._indent = " " * indent
        self._room = max(width - indent, 8)
        self._cells = cells
        self._column = 0  # cells used on this line, indent apart
        self._gap = ""  # spaces since the last word: dropped where a line is broken
        self._word = ""
        self._fresh = True  # nothing on this line yet

    def feed(self, text: str) -> str:
        """What can be shown now."""
        shown: list[str] = []
        for character in text:
            if character == "\n":
                shown.append(self._take_word())
                shown.append("\n")
                self._column, self._gap, self._fresh = 0, "", True
            elif character.isspace():
                shown.append(self._take_word())
                self._gap += "    " if character == "\t" else " "
            else:
                self._word += character
                if self._cells(self._word) >= self._room or self._cells(character) > 1:
                    shown.append(self._take_word())
        return "".join(shown)

    def finish(self) -> str:
        """The word still held back; the wrapper is then at the start of a line again."""
        shown = self._take_word()
        self._column, self._gap, self._fresh = 0, "", True
        return shown

    def _take_word(self) -> str:
        if not self._word:
            return ""
        word, gap = self._word, self._gap
        self._word = self._gap = ""
        wide = self._cells(word)
        if not self._fresh and self._column + len(gap) + wide > self._room:
            self._column = wide
            return f"\n{self._indent}{word}"
        before = gap if not self._fresh else self._indent + gap[: max(self._room - wide, 0)]
        self._column += len(before) - (len(self._indent) if self._fresh else 0) + wide
        self._fresh = False
        return before + word
