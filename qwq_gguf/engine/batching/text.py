"""A text as its scheduler sees it: tokens, and how many of them are computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Copy", "Cut", "Run", "Step", "Text", "common"]


@dataclass(slots=True, eq=False)
class Text:
    """`tokens` are prompt and what was written; the first `computed` of them are in its seat.

    `ready`: somebody wants its next token. `idle` counts the plans for which nobody did.
    One that is `suspect` is computed alone, until its next token is written.
    `reused` tokens were there when it first got a seat, that is when it had `begun`.
    """

    order: int
    tokens: list[int]
    computed: int = 0
    seat: int | None = None
    ready: bool = True
    idle: int = 0
    suspect: bool = False
    begun: bool = False
    reused: int = 0

    @property
    def pending(self) -> int:
        """Tokens to compute before the next one can be picked."""
        return len(self.tokens) - self.computed


class Cut(NamedTuple):
    """Forget all of a seat after its first `keep` tokens."""

    seat: int
    keep: int


class Copy(NamedTuple):
    """Share the first `size` tokens of a seat with another, which is empty."""

    source: int
    target: int
    size: int


class Run(NamedTuple):
    """Compute these `size` tokens of a text, from `first` on; `last`: then its next is picked."""

    text: Text
    seat: int
    first: int
    size: int
    last: bool


@dataclass(slots=True)
class Step:
    """What is to be done next: first `moves` in the cache, in order, then one decode of `runs`."""

    moves: list[Cut | Copy] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    tokens: int = 0  # of the decode

    def add(self, run: Run) -> None:
        """Compute this as well."""
        self.runs.append(run)
        self.tokens += run.size


def common(one: list[int], other: list[int]) -> int:
    """How many tokens two lists begin with alike."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:  # alike up to low, not up to high
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
