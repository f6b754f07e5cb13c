"""Texts without what no reader minds: case, blanks, marks, markup. Pure."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["normal", "words"]

_WRAPPED = re.compile(r"\\(?:text(?:bf|it|rm)?|math(?:rm|bf|it)|boxed)\s*\{([^{}]*)\}")


def normal(text: str) -> str:
    """`text` in lower case, composed, with single blanks and without marks at its ends."""
    text = unicodedata.normalize("NFKC", text)
    for _ in range(3):
        text = _WRAPPED.sub(r"\1", text)
    text = re.sub(r"[*_`$\"\u2018\u2019\u201c\u201d\\]", "", text)
    return " ".join(text.casefold().split()).strip(" .,;:!?'()[]{}")


def words(text: str) -> str:
    """The words of a text with a blank before and behind each, to look for others among them."""
    return " " + " ".join(re.sub(r"[^\w^]+", " ", normal(text)).split()) + " "
