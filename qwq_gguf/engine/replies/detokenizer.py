"""Token bytes to text as they come: a character may be spread over several tokens."""

from __future__ import annotations

import codecs

__all__ = ["Detokenizer"]


class Detokenizer:
    """Incremental UTF-8. Broken bytes become U+FFFD, as in a decode of the whole."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, piece: bytes) -> str:
        """The characters that these bytes complete; may be empty."""
        return self._decoder.decode(piece)

    def finish(self) -> str:
        """What is left at the end: a broken character or nothing."""
        text = self._decoder.decode(b"", True)
        self._decoder.reset()
        return text
