"""Whether a stream of tokens goes in circles: an exact period, many times over."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from qwq_gguf.errors import ProfileError

__all__ = ["Loop", "LoopDetector", "LoopSettings"]


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """From when on a repetition is a loop: so many repeats of a period, and so many tokens."""

    longest_period: int = 1024
    repeats: int = 6
    least_tokens: int = 96

    def __post_init__(self) -> None:
        for name, least in (("longest_period", 1), ("repeats", 2), ("least_tokens", 2)):
            if getattr(self, name) < least:
                raise ProfileError(
                    f"loops: {name} is too small", found=getattr(self, name), expected=least
                )


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that has been found; `begin` is the index of the token at which it began."""

    kind: Literal["periodic", "near"]
    period: int
    repeats: float
    begin: int


class LoopDetector:
    """Feed it tokens. After a `Loop` it goes on when it is `reset`."""

    def __init__(self, settings: LoopSettings = LoopSettings()) -> None:
        self._settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget all tokens."""
        self._seen: deque[int] = deque(maxlen=self._settings.longest_period)
        self._last: dict[int, int] = {}
        self._runs: dict[int, int] = {}  # period: tokens in a row that were the same before it
        self._count = 0

    def feed(self, token: int) -> Loop | None:
        """Take a token; the loop that it completes, or None."""
        settings, seen, at = self._settings, self._seen, self._count
        self._count += 1
        runs: dict[int, int] = {}
        for period, run in self._runs.items():
            if seen[-period] == token:
                runs[period] = run + 1
        last = self._last.get(token)
        if last is not None and at - last <= len(seen):
            runs.setdefault(at - last, 1)
        self._runs = runs
        if len(seen) == settings.longest_period and self._last.get(seen[0]) == at - len(seen):
            del self._last[seen[0]]
        seen.append(token)
        self._last[token] = at
        for period, run in runs.items():
            whole = run + period
            if whole >= settings.least_tokens and whole >= settings.repeats * period:
                return Loop("periodic", period, whole / period, at + 1 - whole)
        return None
