"""Where sentences end in a stream of pieces: a thought is best ended there."""

from __future__ import annotations

__all__ = ["SentenceEnds"]

_STOPS = tuple(mark.encode() for mark in ".!?\u3002\uff01\uff1f\u2026")
_CLOSERS = b"\"')*_]}"
_BLANKS = b" \t\r"
_KEPT = 16  # bytes: a mark, what closes behind it, and blanks


class SentenceEnds:
    """Feed it pieces as they come: bytes that may be parts of characters."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, piece: bytes) -> bool:
        """Whether a sentence, or a line, ends with this piece.

        A stop behind a digit ends none: it may be a decimal point, or the number of an item.
        """
        self._tail = (self._tail + piece)[-_KEPT:]
        said = self._tail.rstrip(_BLANKS)
        if said.endswith(b"\n"):
            return True
        said = said.rstrip(_CLOSERS)
        return said.endswith(_STOPS) and not (said.endswith(b".") and said[-2:-1].isdigit())
