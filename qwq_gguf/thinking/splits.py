"""What a splitter makes of a stream, and what both of them can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias

__all__ = ["Called", "Phase", "Piece", "Split", "Splitter", "WasThought"]


class Phase(StrEnum):
    """What a piece of text belongs to."""

    THINKING = "thinking"
    ANSWER = "answer"


class Split(NamedTuple):
    """A piece of text and what it belongs to. Never empty."""

    phase: Phase
    text: str


@dataclass(frozen=True, slots=True)
class WasThought:
    """All text handed over so far was the thought: its closing tag has come."""


class Called(NamedTuple):
    """A message to a tool, whole: the recipient, and the arguments as they were written."""

    name: str
    arguments: str


Piece: TypeAlias = Split | WasThought | Called


class Splitter(Protocol):
    """What tells thought from answer in a stream: one of two, as `Thoughts.splitter` knows."""

    #: Whether a spelled opening tag may begin another thought after the first.
    reopens: bool

    @property
    def phase(self) -> Phase: ...
    @property
    def opened(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    @property
    def undecided(self) -> bool: ...
    @property
    def calling(self) -> bool: ...
    @property
    def between(self) -> bool: ...
    @property
    def closing_text(self) -> str: ...
    @property
    def thinking_tokens(self) -> int: ...
    @property
    def answer_tokens(self) -> int: ...
    def feed(self, text: str, token: int | None = None) -> Sequence[Piece]: ...
    def finish(self) -> Sequence[Piece]: ...
