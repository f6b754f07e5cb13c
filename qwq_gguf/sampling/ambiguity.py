"""In how many ways a grammar may read one character, at the worst of its places.

llama.cpp tries a token against every reading of the text so far, and follows each of them
through the token's characters without ever comparing two. Where `k` ways are open at every
character, a token of `n` characters is tried in up to `k ** n` ways: of `([a-z]+ " "?)+` a
token of twenty letters has a million, one of forty never ends. Whoever knows `k` knows which
tokens are short enough.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from qwq_gguf.sampling.gbnf import CharSet, Gbnf, Symbol

__all__ = ["MANY", "most_ways"]

# As good as infinitely many.
MANY = 64
# Symbols times classes of characters: beyond, the exact number is not worth its price.
_MOST_CELLS = 4_000_000

Ways = npt.NDArray[np.int32]


def most_ways(grammar: Gbnf) -> int:
    """The number of ways in which one character can at most be read; 1 to `MANY`.

    An upper bound: what may follow a rule is taken for each character from the worst of its
    callers.
    """
    symbols = [symbol for rule in grammar.rules for part in rule for symbol in part]
    edges = {0}
    for symbol in symbols:
        if isinstance(symbol, CharSet):
            edges.update(itertools.chain.from_iterable((a, b + 1) for a, b in symbol.ranges))
    if len(symbols) * len(edges) > _MOST_CELLS:
        return MANY
    return _Counter(grammar, sorted(edges)).most()


class _Counter:
    """Counts ways, one number for each class of characters; a class begins at each edge."""

    def __init__(self, grammar: Gbnf, edges: list[int]) -> None:
        self._grammar = grammar
        self._edges = edges
        self._sets: dict[CharSet, Ways] = {}
        self._first: list[Ways] = [self._none() for _ in grammar.rules]
        # What may be read after a rule, whoever has called it.
        self._after = np.zeros((len(grammar.rules), len(edges)), np.int32)

    def most(self) -> int:
        for rule in self._grammar.order:
            ways = (self._read(part)[0] for part in self._grammar.rules[rule])
            self._first[rule] = _total(ways, self._none())
        ends, calls = [], []
        # Rules that were written out for a repetition call those before them.
        for rule, parts in reversed(list(enumerate(self._grammar.rules))):
            for part in parts:
                for place, symbol in enumerate(part):
                    after = (rule, *self._read(part[place + 1 :]))
                    if isinstance(symbol, CharSet):
                        ends.append(after)
                    else:
                        calls.append((symbol, after))
        if not self._settle(calls):
            return MANY
        most = max((int(self._at(after).max()) for after in ends), default=1)
        begin = int(self._first[self._grammar.root].max())
        return max(1, min(MANY, max(most, begin)))

    def _settle(self, calls: Sequence[tuple[int, tuple[int, Ways, bool]]]) -> bool:
        """Let `_after` grow until it stays; False when it would grow for ever."""
        for _ in range(2 * MANY):
            changed = False
            for callee, after in calls:
                here = self._at(after)
                if (here > self._after[callee]).any():
                    np.maximum(self._after[callee], here, out=self._after[callee])
                    changed = True
            if not changed:
                return True
            if self._after.max() > MANY:
                return False
        return False

    def _at(self, after: tuple[int, Ways, bool]) -> Ways:
        """What may be read at a place: what the rest of its rule begins with, or follows it."""
        rule, ways, ends = after
        return ways + self._after[rule] if ends else ways

    def _read(self, part: Sequence[Symbol]) -> tuple[Ways, bool]:
        """What a rest of an alternative may begin with, and whether it may be empty."""
        found = self._none()
        for symbol in part:
            found = np.minimum(found + self._ways(symbol), 2 * MANY)
            if isinstance(symbol, CharSet) or symbol not in self._grammar.empty:
                return found, False
        return found, True

    def _ways(self, symbol: Symbol) -> Ways:
        if isinstance(symbol, int):
            return self._first[symbol]
        if symbol not in self._sets:
            ways = self._none()
            for low, high in symbol.ranges:
                first = bisect.bisect_left(self._edges, low)
                ways[first : bisect.bisect_left(self._edges, high + 1)] = 1
            self._sets[symbol] = 1 - ways if symbol.negated else ways
        return self._sets[symbol]

    def _none(self) -> Ways:
        return np.zeros(len(self._edges), np.int32)


def _total(parts: Iterable[Ways], total: Ways) -> Ways:
    for ways in parts:
        total = np.minimum(total + ways, 2 * MANY)
    return total
