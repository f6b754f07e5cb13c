"""Finding that a generation goes round in circles, from its tokens alone.

Two kinds of evidence. A **periodic** tail: the last tokens are one block over and over. A
**near** repeat: nearly all of a long stretch was said before, and not long ago, though with
other numbers or names in it, or in another order; or most of a long line was.

Honest texts repeat themselves, too: rulers, zeros, digits of 1/7, tables of equal rows. What is
enough therefore depends on how much a block says, and the measure of that is how many different
tokens it has, in all and for its length. docs/thinking.md gives the reasons, and what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from qwq_gguf.errors import ProfileError
from qwq_gguf.thinking.recurrence import Recurrence

__all__ = ["Loop", "LoopDetector", "LoopSettings"]

_MOST = 1 << 20
_SLACK = 512  # tokens: a near repeat may be a little farther off than the longest period


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that was found.

    `period` is the length of a round in tokens, for a near repeat that of a usual one.
    `repeats` is how many rounds there have been, the first included. `begin` is the index,
    from the last reset, of the token with which the looping stretch began.
    """

    kind: Literal["periodic", "near"]
    period: int
    repeats: float
    begin: int


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """When repeating is looping. ProfileError for numbers that make no sense.

    A block of `telling` different tokens or more is a loop after `repeats` rounds; one of fewer,
    d, after `repeats - 1 + (telling / d) ** 2` of them, or after `enough` tokens if that comes
    first. `longest` is the longest period that is looked for.

    For near repeats a sum grows by one with each token that was said before and falls by
    `novelty` with each that was not, never below zero (Page's CUSUM, 1954): a text of which less
    than novelty / (1 + novelty) is old never gets anywhere. It is a loop at `near_tokens`; of
    d < `near_telling` different tokens at `(near_telling / d) ** 2` times as many, or at `enough`;
    and never before it has gone round, at `near_rounds` times the usual distance of the repeats.
    So what is said a second time, a program or a table, is no loop, however long it is.

    A round of fewer than `row_telling` different tokens, and of more than `rows` times as many in
    all, is made of rows, such as a sorting's passes or the bars of a tab. It is a loop after
    `row_rounds` of it, exactly the same after half as many, if all else says so. So is one of
    fewer than `row_telling` different tokens in lines of fewer than `row_line`, where those who
    feed it say where lines end: what programs print, such as a trace of calls. Exactly the same
    it is a loop at `enough`, if half as many rounds are longer.

    Within one line the same sum falls by `line_novelty` only, and counts what was said in the last
    `line_reach` tokens; it is a loop at `line_tokens`, of fewer than `line_telling` different
    tokens at `enough`. Tables and traces have lines, so what goes on so long without one is none.
    """

    repeats: float = 2.75
    telling: int = 36
    enough: int = 300
    longest: int = 4096
    novelty: float = 3.0
    near_tokens: int = 96
    near_telling: int = 32
    near_rounds: float = 1.5
    rows: float = 4.0
    row_telling: int = 64
    row_rounds: float = 16.0
    row_line: float = 24.0
    line_novelty: float = 1.0
    line_reach: int = 256
    line_tokens: int = 180
    line_telling: int = 7

    def __post_init__(self) -> None:
        for name, least, most in (
            ("repeats", 2, 1000),
            ("telling", 1, _MOST),
            ("enough", 2, _MOST),
            ("longest", 1, _MOST),
            ("novelty", 0.01, 1000),
            ("near_tokens", 1, _MOST),
            ("near_telling", 1, _MOST),
            ("near_rounds", 1, 1000),
            ("rows", 1, _MOST),
            ("row_telling", 1, _MOST),
            ("row_rounds", 2, 1000),
            ("row_line", 1, _MOST),
            ("line_novelty", 0.01, 1000),
            ("line_reach", 1, _MOST),
            ("line_tokens", 1, _MOST),
            ("line_telling", 1, _MOST),
        ):
            value = getattr(self, name)
            if not least <= value <= most:  # NaN is not, either
                raise ProfileError(
                    f"loops: {name} makes no sense", found=value, expected=f"{least} to {most}"
                )

    def periodic_tokens(self, period: int, different: int, lines: int = 0) -> int:
        """How long a tail of this period is a loop, with so many different tokens and lines."""
        rounds = max(self.repeats, self.repeats - 1 + (self.telling / different) ** 2)
        least = self.repeats
        if self._is_rows(period, different):
            least = max(least, self.row_rounds / 2)
        elif self._is_listed(period, different, lines):
            rounds = max(rounds, self.row_rounds / 2)
        return math.ceil(max(least * period, min(rounds * period, self.enough)))

    def near_sum(self, distance: float, different: int, tokens: int = 0, lines: int = 0) -> float:
        """The sum at which near repeats of this usual distance are a loop.

        They have so many different tokens, and `lines` lines in `tokens` tokens.
        """
        thin = max(1.0, (self.near_telling / different) ** 2)
        enough = max(self.near_tokens, self.enough)
        rows = self._is_rows(distance, different) or self._is_listed(tokens, different, lines)
        rounds = self.row_rounds if rows else self.near_rounds
        return max(min(self.near_tokens * thin, enough), rounds * distance)

    def line_sum(self, distance: float, different: int, tokens: int = 0, lines: int = 0) -> float:
        """The sum at which what is said within a line is a loop."""
        return max(self.line_tokens, self.enough) if different < self.line_telling else 0.0

    def _is_rows(self, tokens: float, different: int) -> bool:
        """Whether a round of so many tokens is one of rows."""
        return different < self.row_telling and tokens > self.rows * different

    def _is_listed(self, tokens: int, different: int, lines: int) -> bool:
        """Whether so many tokens are short lines that say little."""
        return different < self.row_telling and tokens < self.row_line * lines


class LoopDetector:
    """Feed it tokens, and it says when they have become a loop.

    A few microseconds a token, whatever came before, in bounded memory (a few megabytes). After
    a loop was returned it says nothing new until `reset`.
    """

    def __init__(self, settings: LoopSettings = LoopSettings()) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget all tokens."""
        settings = self.settings
        self._seen = Recurrence(settings.longest + _SLACK)
        self._said: dict[int, tuple[int, int]] = {}
        self._breaks: set[int] = set()
        self._near = _NearRepeats(settings.novelty, settings.near_tokens, settings.near_sum)
        self._line = _NearRepeats(settings.line_novelty, settings.line_tokens, settings.line_sum)

    def feed(self, token: int, *, ends_line: bool | None = None) -> Loop | None:
        """Take one more token; the loop that it completes, or goes on with.

        `ends_line` says whether there is a line break in it; None where nobody knows.
        """
        distance = self._seen.feed(token)
        near = self._near.feed(token, distance, ends_line=bool(ends_line))
        if ends_line:
            self._breaks.add(token)
        if ends_line is not False:
            self._line.clear()
            distance = 0
        in_line = self._line.feed(token, distance if distance <= self.settings.line_reach else 0)
        return self._periodic() or near or in_line

    def _periodic(self) -> Loop | None:
        settings, seen = self.settings, self._seen
        for lag, run in seen.lags.items():
            length = run + lag
            if lag > settings.longest or length < settings.repeats * lag:
                continue
            if length >= settings.periodic_tokens(lag, *self._said_in(lag)):
                return Loop("periodic", lag, length / lag, len(seen) - length)
        return None

    def _said_in(self, lag: int) -> tuple[int, int]:
        """Different tokens and lines of a period: the same for as long as it goes on."""
        if lag not in self._said:
            kept = {old: self._said[old] for old in self._said if old in self._seen.lags}
            tail = self._seen.tail(lag)
            lines = sum(token in self._breaks for token in tail)
            self._said = {**kept, lag: (len(set(tail)), lines)}
        return self._said[lag]


class _NearRepeats:
    """The sum of what was said before against what is new."""

    def __init__(
        self, novelty: float, least: float, enough: Callable[[float, int, int, int], float]
    ) -> None:
        """The sum falls by `novelty`; it is a loop at `least`, and what is `enough` for its usual
        distance, its different tokens and the length of its lines.
        """
        self._novelty, self._least, self._enough = novelty, least, enough
        self._fed = 0
        self.clear()

    def clear(self) -> None:
        """Begin anew."""
        self._sum = 0.0
        self._old = 0
        self._distances = 0
        self._lines = 0
        self._since = self._fed
        self._tokens: set[int] = set()

    def feed(self, token: int, distance: int, *, ends_line: bool = False) -> Loop | None:
        """Take a token, how long ago it was said, 0 for never, and whether a line ends in it."""
        if distance:
            self._sum += 1
            self._old += 1
            self._distances += distance
            self._tokens.add(token)
        elif self._sum:
            self._sum -= self._novelty
            if self._sum <= 0:
                self.clear()
        self._fed += 1
        self._lines += ends_line
        if not self._sum:
            self._since = self._fed
            return None
        if self._sum < self._least:
            return None
        usual = self._distances / self._old
        stretch = self._fed - self._since
        if self._sum < self._enough(usual, len(self._tokens), stretch, self._lines):
            return None
        begin = max(0, self._since - round(usual))
        return Loop("near", round(usual), (self._fed - begin) / usual, begin)
