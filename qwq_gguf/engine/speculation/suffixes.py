"""Where the end of a text has come before in it. Pure; the same time for each token."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["LEAST_MATCH", "MOST_MATCH", "SuffixIndex"]

LEAST_MATCH = 3  # tokens: of two nearly every one has come before
MOST_MATCH = 32  # more say nothing more
_PLACES = 4  # of each, the last ones: they are the likeliest to come again
_MOST = 1 << 16  # tokens that are looked through; some 20 MB


class SuffixIndex:
    """A text, and for each three tokens in it what followed them."""

    def __init__(self, most: int = _MOST) -> None:
        """Of a longer text the last `most` tokens are known, and up to twice as many."""
        self._most = most
        self._text: list[int] = []
        self._places: dict[tuple[int, ...], tuple[int, ...]] = {}

    def begin(self, tokens: Sequence[int]) -> None:
        """Another text, of these tokens so far."""
        self._text.clear()
        self._places.clear()
        for token in tokens[-self._most :]:
            self.add(token)

    def add(self, token: int) -> None:
        """The text goes on with this one."""
        text = self._text
        if len(text) >= LEAST_MATCH:
            key = tuple(text[-LEAST_MATCH:])
            self._places[key] = (len(text), *self._places.get(key, ())[: _PLACES - 1])
        text.append(token)
        if len(text) >= 2 * self._most:
            self.begin(text.copy())

    def match(self) -> tuple[int, int]:
        """The place behind the longest piece of text that is also its end, and its length.

        Of several the last. A length of 0 where there is none of `LEAST_MATCH` tokens.
        """
        text = self._text
        end = len(text)
        found, longest = 0, 0
        for place in self._places.get(tuple(text[-LEAST_MATCH:]), ()):
            size = LEAST_MATCH
            while size < min(place, MOST_MATCH) and text[place - 1 - size] == text[end - 1 - size]:
                size += 1
            if size > longest:
                found, longest = place, size
        return found, longest

    def following(self, place: int, count: int) -> list[int]:
        """So many tokens from a place on; behind the end it repeats what led there."""
        found = self._text[place : place + count]
        while len(found) < count:
            found.append(found[len(found) - (len(self._text) - place)])
        return found
