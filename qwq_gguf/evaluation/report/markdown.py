"""A document as Markdown, in which nothing of a stranger is read as markup."""

from __future__ import annotations

import re

from qwq_gguf.evaluation.report.document import (
    Block,
    Command,
    Document,
    Entry,
    Foreign,
    Picture,
    Table,
    Text,
)

__all__ = ["markdown_of"]

_SPECIAL = re.compile(r"([\\*_\[\]#|~<>&$])")
_SIGNS = re.compile(r"[^\w ,.()%:/-]")
_TICKS = re.compile(r"`+")


def markdown_of(document: Document) -> str:
    """The text; pictures are files beside it, by their names."""
    lines = [f"# {_ours(document.title)}", ""]
    for block in document.introduction:
        lines += [*_block(block), ""]
    for section in document.sections:
        lines += [f"## {_ours(section.title)}", ""]
        for block in section.blocks:
            lines += [*_block(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _block(block: Block) -> list[str]:
    match block:
        case Text():
            return ["".join(_entry(part) for part in block.parts)]
        case Command():
            return [f"    {block.line}"]
        case Picture():
            return [f"![{_plain(f'{block.title}: {block.about}')}]({block.name}.svg)"]
        case Table():
            return _table(block)


def _table(table: Table) -> list[str]:
    numbers = len(table.columns) - table.names
    marks = ["---"] * table.names + ["--:"] * numbers
    rows = [[_cell(entry) for entry in row] for row in table.rows]
    return [
        f"**{_entry(table.caption)}**",
        "",
        _row([_cell(column) for column in table.columns]),
        _row(marks),
        *map(_row, rows),
    ]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(entry: Entry) -> str:
    # In a table a bar ends a cell even within code, and what backslashes do there differs.
    if isinstance(entry, Foreign) and "|" in entry.text:
        return _plain(entry.line)
    return _entry(entry)


def _entry(entry: Entry) -> str:
    return _code(entry.line) if isinstance(entry, Foreign) else _ours(entry)


def _ours(text: str) -> str:
    """Words of ours, in which backticks mean code, as they do in Markdown."""
    return "`".join(
        part if at % 2 else _SPECIAL.sub(r"\\\1", part) for at, part in enumerate(text.split("`"))
    )


def _plain(text: str) -> str:
    """Words of anybody, in which nothing means anything."""
    return _SIGNS.sub(lambda found: f"&#{ord(found.group())};", text)


def _code(text: str) -> str:
    """As code, in which nothing is markup, behind more backticks than it has in a row."""
    if not text.strip():
        return ""
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    room = " " if longest or text != text.strip() else ""
    return f"{fence}{room}{text}{room}{fence}"
