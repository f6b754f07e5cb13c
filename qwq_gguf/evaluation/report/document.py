"""A report as a value: sections of sentences, tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from qwq_gguf.words import one_line

__all__ = [
    "Block",
    "Command",
    "Document",
    "Entry",
    "Foreign",
    "Picture",
    "Section",
    "Table",
    "Text",
]

_LONGEST = 2000


class Foreign(NamedTuple):
    """What a file says of itself, a name or a command: shown as it is, and never read as markup."""

    text: str

    @property
    def line(self) -> str:
        """It as one line, harmless wherever it is shown."""
        return one_line(self.text, _LONGEST)


Entry: TypeAlias = "str | Foreign"
"""What stands in a table: our words, or a stranger's."""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    parts: tuple[Entry, ...]

    @classmethod
    def of(cls, *parts: Entry) -> Text:
        """One of these parts, one after the other."""
        return cls(parts)


@dataclass(frozen=True, slots=True)
class Command:
    """What was typed."""

    text: str

    @property
    def line(self) -> str:
        """It as one line."""
        return one_line(self.text, _LONGEST)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns, of which the first `names` are texts and the others numbers."""

    caption: Entry
    columns: tuple[Entry, ...]
    rows: Sequence[tuple[Entry, ...]]
    names: int = 1


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that can be drawn in any width: `draw` gives what stands within the svg element,
    and its height. `about` says what it shows to those who don't see it.
    """

    name: str
    title: str
    about: str
    draw: Callable[[int], tuple[str, int]]


Block: TypeAlias = "Text | Command | Table | Picture"


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """All of it."""

    title: str
    introduction: tuple[Block, ...]
    sections: tuple[Section, ...]

    @property
    def pictures(self) -> list[Picture]:
        """Those of all sections."""
        blocks = (block for section in self.sections for block in section.blocks)
        return [block for block in blocks if isinstance(block, Picture)]
