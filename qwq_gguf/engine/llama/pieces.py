"""The bytes of all tokens of a vocabulary, and what they begin with, at hand for grammars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["Pieces", "beginning", "blank"]


def blank(pieces: Iterable[bytes]) -> frozenset[int]:
    """The tokens that show nothing: white space, or no bytes at all."""
    spaces = (
        token for token, piece in enumerate(pieces) if not piece.decode("utf-8", "replace").strip()
    )
    return frozenset(spaces)


def beginning(pieces: Iterable[bytes], texts: Sequence[str]) -> frozenset[int]:
    """The tokens with which one of these texts may begin, white space before it or not."""
    raw = tuple(text.encode() for text in texts)
    firsts = {text[:1] for text in raw}
    found = []
    for token, piece in enumerate(pieces):
        words = piece.lstrip()
        if words[:1] in firsts and any(
            text.startswith(words) or words.startswith(text) for text in raw
        ):
            found.append(token)
    return frozenset(found)


class Pieces:
    """Made once a vocabulary; for 150,000 tokens in half a second."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        """`pieces` are the bytes of each token, by its id."""
        self._pieces = pieces
        self.lengths: npt.NDArray[np.int32] = np.array([len(p) for p in pieces], np.int32)
        """Bytes, one number a token."""
        self.first: npt.NDArray[np.uint8] = np.array([p[0] if p else 0 for p in pieces], np.uint8)
        """The first byte of each, 0 where there is none."""
        self._ordered: dict[int, list[tuple[bytes, int]]] = {}
        self._beginning: dict[tuple[str, ...], frozenset[int]] = {}

    @cached_property
    def blank(self) -> frozenset[int]:
        """The tokens that show nothing."""
        return blank(self._pieces)

    def beginning(self, texts: tuple[str, ...]) -> frozenset[int]:
        """The tokens with which one of these texts may begin; one list of texts a format."""
        if texts not in self._beginning:
            self._beginning[texts] = beginning(self._pieces, texts)
        return self._beginning[texts]

    @property
    def longest(self) -> int:
        """Bytes of the longest one."""
        return int(self.lengths.max(initial=0))

    def longer_than(self, length: int) -> Sequence[tuple[bytes, int]]:
        """The tokens of more bytes than that, with their bytes, in the order of these."""
        if length not in self._ordered:
            tokens = np.flatnonzero(self.lengths > length).tolist()
            self._ordered[length] = sorted((self._pieces[token], token) for token in tokens)
        return self._ordered[length]
