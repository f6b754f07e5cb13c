"""Markdown that arrives in pieces: which part is finished, and what may reach the screen. Pure."""

from __future__ import annotations

import re

__all__ = ["BlockSplitter", "for_screen"]

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s")
# Code spans stay as they are; outside them a backslash before a bracket is LaTeX, which
# Markdown would eat, and "<" starts HTML, which a terminal cannot show.
_CODE_OR_SPECIAL = re.compile(r"(`{1,3})[^`]*\1|\\[()\[\]{},;!\\]|<")


class _Fence:
    """Whether the lines passed so far leave us inside fenced code."""

    def __init__(self) -> None:
        self._marks: str | None = None

    @property
    def inside(self) -> bool:
        return self._marks is not None

    def pass_line(self, line: str) -> bool:
        """Go over `line`; True when it is code or a fence."""
        if self._marks is None:
            opening = _FENCE.match(line)
            self._marks = None if opening is None else opening[1]
            return self.inside
        closing = line.strip()
        if closing.startswith(self._marks) and not closing.strip(self._marks[0]):
            self._marks = None
        return True


class BlockSplitter:
    """Cuts a stream of Markdown into blocks that can be rendered for good, one by one.

    A block ends at a blank line outside a code fence, unless the next line may belong to
    it: a list goes on over blank lines and keeps its numbering.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []  # whole lines of the block being written
        self._partial = ""  # the line being written
        self._fence = _Fence()
        self._is_list = False

    @property
    def pending(self) -> str:
        """The block still being written."""
        return "\n".join((*self._lines, self._partial))

    def feed(self, text: str) -> list[str]:
        """The blocks that `text` finishes."""
        *whole, self._partial = (self._partial + text).split("\n")
        return [block for line in whole for block in self._take(line)]

    def finish(self) -> list[str]:
        """The blocks still held back; the splitter is then as new."""
        blocks = self._take(self._partial)
        last = "\n".join(self._lines).strip("\n")
        self._lines, self._partial = [], ""
        self._fence, self._is_list = _Fence(), False
        return [*blocks, last] if last.strip() else blocks

    def _take(self, line: str) -> list[str]:
        finished = []
        if not self._fence.inside and line.strip() and self._ended_before(line):
            finished.append("\n".join(self._lines).strip("\n"))
            self._lines, self._is_list = [], False
        if not self._fence.inside and _LIST_ITEM.match(line):
            self._is_list = True
        self._fence.pass_line(line)
        if self._lines or line.strip():
            self._lines.append(line)
        return finished

    def _ended_before(self, line: str) -> bool:
        if not self._lines or self._lines[-1].strip():
            return False
        return not (self._is_list and (line[0].isspace() or _LIST_ITEM.match(line)))


def for_screen(markdown: str) -> str:
    r"""`markdown` with LaTeX's ``\(`` and ``\[`` and with ``<`` kept as they were written."""
    fence = _Fence()
    return "\n".join(
        line if fence.pass_line(line) else _CODE_OR_SPECIAL.sub(_protect, line)
        for line in markdown.split("\n")
    )


def _protect(match: re.Match[str]) -> str:
    text = match.group()
    return text if text.startswith("`") else "\\" + text
