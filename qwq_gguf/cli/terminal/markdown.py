"""Markdown that arrives in pieces: which part is finished, and what may reach the screen. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import dedent

from qwq_gguf.cli.terminal.latex import BARE, as_text

__all__ = ["BlockSplitter", "for_screen", "parts"]

_FENCE = re.compile(r" {0,12}(`{3,}|~{3,})")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s")
_LONGEST = 500  # characters of a formula
# Code spans stay as they are. Formulas are shown as text; a dollar begins one as pandoc has it:
# no blank behind it, none before the second, and no digit after that. Elsewhere a backslash
# before a bracket is LaTeX, which Markdown would eat, and "<" starts HTML, which a terminal
# cannot show.
_SPECIAL = re.compile(
    r"(`{1,3})[^`]*\1"
    rf"|\\\((?P<a>.{{1,{_LONGEST}}}?)\\\)|\\\[(?P<b>.{{1,{_LONGEST}}}?)\\\]"
    rf"|\$\$(?P<c>.{{1,{_LONGEST}}}?)\$\$"
    rf"|\$(?P<d>(?=[^\s$])[^$\n]{{0,{_LONGEST}}}[^\s$])\$(?!\d)"
    rf"|\\(?P<bare>{'|'.join(BARE)})(?![A-Za-z])"
    r"|\\[()\[\]{},;!\\]|<",
    re.DOTALL,
)
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_MARKS = re.compile(r"[\\*_`~<\[\]]")


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


def parts(block: str) -> Iterator[tuple[str | None, str]]:
    """The prose and the fenced code of a block, in turn: (None, prose) or (language, code).

    Code is without its fence, and without the blanks in front that the fence has, too.
    """
    fence = _Fence()
    lines: list[str] = []
    language: str | None = None
    margin = 0
    for line in block.split("\n"):
        inside = fence.inside
        of_fence = fence.pass_line(line) and inside != fence.inside
        if not of_fence:
            lines.append(line[min(margin, len(line) - len(line.lstrip(" "))) :])
            continue
        if any(map(str.strip, lines)):
            yield language, _outdented(lines, language)
        opening = _FENCE.match(line) if fence.inside else None
        language = None if opening is None else line[opening.end() :].strip().partition(" ")[0]
        margin = 0 if opening is None else opening.start(1)
        lines = []
    if any(map(str.strip, lines)):
        yield language, _outdented(lines, language)


def _outdented(lines: list[str], language: str | None) -> str:
    """Prose behind code stands as deep as the list it belongs to, and would be taken for code."""
    if language is not None:
        return "\n".join(lines)
    deep = next((n for n, line in enumerate(lines) if line[:1].strip()), len(lines))
    # A list that goes on behind it needs a blank line to be one.
    between = [""] if 0 < deep < len(lines) else []
    return "\n".join([dedent("\n".join(lines[:deep])), *between, *lines[deep:]])


def for_screen(markdown: str) -> str:
    r"""`markdown` with formulas as text, and what else of LaTeX there is kept as it was written,
    and ``<``.
    """
    shown: list[str] = []
    prose: list[str] = []
    fence = _Fence()
    for line in markdown.split("\n"):
        if fence.pass_line(line):
            shown += _readable(prose)
            shown.append(line)
        else:
            prose.append(line)
    return "\n".join([*shown, *_readable(prose)])


def _readable(prose: list[str]) -> list[str]:
    """These lines for the screen; they are taken out of the list."""
    if not prose:
        return []
    text, shown, at = "\n".join(prose), [], 0
    prose.clear()
    while (found := _SPECIAL.search(text, at)) is not None:
        shown.append(text[at : found.start()])
        piece, at = _shown(text, found)
        shown.append(piece)
    return ["".join((*shown, text[at:]))]


def _shown(text: str, found: re.Match[str]) -> tuple[str, int]:
    """What stands there, as Markdown, and where the text goes on."""
    piece, begin, end = found.group(), found.start(), found.end()
    if piece[0] == "`":
        return piece, end
    if found["bare"] is not None:
        for _ in range(BARE[found["bare"]]):
            closed = _group_end(text, end)
            if closed is None:  # it is still being written
                return _literal(piece), found.end()
            end = closed
        formula: str | None = text[begin:end]
    else:
        formula = next((each for each in found.group("a", "b", "c", "d") if each), None)
    if formula is None:
        return "\\" + piece, end
    readable = as_text(formula)
    if readable is None:
        return _literal(text[begin:end]), end
    if formula.startswith("\\boxed"):
        return _emphasized(_literal(readable), text[begin - 1 : begin] + text[end : end + 1]), end
    return _literal(readable), end


def _emphasized(shown: str, around: str) -> str:
    """A boxed result in bold, where it touches nothing that Markdown would read with it."""
    plain = shown[:1].isalnum() and shown[-1:].isalnum()
    touches = any(each.isalnum() or each in "*_`" for each in around)
    return f"**{shown}**" if plain and not touches else shown


def _literal(shown: str) -> str:
    """What is no Markdown, in Markdown."""
    return _MARKS.sub(r"\\\g<0>", shown).replace("\n", "\\\n")


def _group_end(text: str, start: int) -> int | None:
    """Where the group in braces ends that begins there; None where none does, or never ends."""
    if not text.startswith("{", start):
        return None
    depth = 0
    for found in _BRACE.finditer(text, start, start + _LONGEST):
        depth += {"{": 1, "}": -1}.get(found.group(), 0)
        if depth == 0:
            return found.end()
    return None
