"""Guesses out of the text itself: what followed when its end came before."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from qwq_gguf.engine.speculation.lengths import MOST_GUESSES, Acceptance, Costs, best_length
from qwq_gguf.engine.speculation.suffixes import SuffixIndex

__all__ = ["TextDrafter"]

_LONG = (4, 8, 16)  # tokens of a match that make it another kind
_START = 0.6


class TextDrafter:
    """A `Drafter` that needs nothing but the text. How much it guesses, each kind of match learns
    for itself: what follows three known tokens is less certain than what follows thirty.
    """

    def __init__(self, costs: Costs, most: int = MOST_GUESSES) -> None:
        self._costs = costs
        self._most = most
        self._index = SuffixIndex()
        self._acceptance = [Acceptance(_START) for _ in range(len(_LONG) + 1)]
        self._kind = 0

    def begin(self, prompt: Sequence[int]) -> None:
        """See `Drafter`. What was learnt of guesses stays."""
        self._index.begin(prompt)

    def add(self, token: int) -> None:
        """See `Drafter`."""
        self._index.add(token)

    def draft(self, most: int) -> list[int]:
        """See `Drafter`."""
        place, size = self._index.match()
        if not size:
            return []
        self._kind = bisect_right(_LONG, size)
        acceptance = self._acceptance[self._kind]
        length = best_length(acceptance.share, self._costs, min(most, self._most))
        if not length:
            acceptance.passed()
            return []
        return self._index.following(place, length)

    def verified(self, drafted: int, accepted: int) -> None:
        """See `Drafter`."""
        self._acceptance[self._kind].verified(drafted, accepted)

    def interrupt(self) -> None:
        """Nothing is computed."""

    def close(self) -> None:
        """There is nothing to free but its index."""
        self._index.begin(())
