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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from qwq_gguf.sampling.gbnf import CharSet, Gbnf, Symbol

__all__ = ["MANY", "most_ways"]

# As good as infinitely many.
MANY = 64
# Symbols times classes of characters: beyond, the exact number is not worth its price.
_MOST_CELLS = 4_000_000
_MOST_CALLS = 200_000  # looks at a call, however often each is looked at

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
            begins = (self._beginning(part) for part in self._grammar.rules[rule])
            self._first[rule] = _total(begins, self._none())
        # Places where a character ends, and what may be read there: by the rule that follows
        # the place when nothing else has to, and once for all others.
        ends: dict[int | None, Ways] = {}
        # The same for places where a rule was called, by that and the called one.
        calls: dict[tuple[int | None, int], Ways] = {}
        # Rules that were written out for a repetition call those before them.
        for rule, parts in reversed(list(enumerate(self._grammar.rules))):
            for part in parts:
                for symbol, ways, may_end in self._rests(part):
                    follows = rule if may_end else None
                    if isinstance(symbol, CharSet):
                        _raise(ends, follows, ways)
                    else:
                        _raise(calls, (follows, symbol), ways)
        if not self._settle(calls):
            return MANY
        most = max((int(self._at(*end).max()) for end in ends.items()), default=1)
        begin = int(self._first[self._grammar.root].max())
        return max(1, min(MANY, max(most, begin)))

    def _settle(self, calls: Mapping[tuple[int | None, int], Ways]) -> bool:
        """Let `_after` grow until it stays; False when it would grow for ever, or for long."""
        for _ in range(min(2 * MANY, _MOST_CALLS // (len(calls) + 1) + 1)):
            changed = False
            for (follows, callee), ways in calls.items():
                here = self._at(follows, ways)
                if (here > self._after[callee]).any():
                    np.maximum(self._after[callee], here, out=self._after[callee])
                    changed = True
            if not changed:
                return True
            if self._after.max() > MANY:
                return False
        return False

    def _at(self, follows: int | None, ways: Ways) -> Ways:
        """What may be read at a place: what the rest of its rule begins with, or follows it."""
        return ways if follows is None else ways + self._after[follows]

    def _beginning(self, part: Sequence[Symbol]) -> Ways:
        """What an alternative may begin with."""
        found = self._none()
        for symbol in part:
            found = np.minimum(found + self._ways(symbol), 2 * MANY)
            if isinstance(symbol, CharSet) or symbol not in self._grammar.empty:
                break
        return found

    def _rests(self, part: Sequence[Symbol]) -> Iterator[tuple[Symbol, Ways, bool]]:
        """Each symbol, the last first, with what may be read behind it within the alternative,
        and whether that may be empty. Each rest follows from the one that is a symbol shorter.
        """
        ways, may_end = self._none(), True
        for symbol in reversed(part):
            yield symbol, ways, may_end
            own = self._ways(symbol)
            if isinstance(symbol, CharSet) or symbol not in self._grammar.empty:
                ways, may_end = own, False
            else:
                ways = np.minimum(own + ways, 2 * MANY)

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


_Key = TypeVar("_Key")


def _raise(known: dict[_Key, Ways], key: _Key, ways: Ways) -> None:
    """Keep the larger of what is known and these, for each class of characters."""
    old = known.get(key)
    if old is None:
        known[key] = ways
    elif old is not ways:
        known[key] = np.maximum(old, ways)


def _total(parts: Iterable[Ways], total: Ways) -> Ways:
    for ways in parts:
        total = np.minimum(total + ways, 2 * MANY)
    return total
