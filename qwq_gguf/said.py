"""What strangers say, made fit for a message: one short line without secrets or control codes."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["is_plain", "one_line", "without_secrets"]

# https://user:secret@host/path?X-Amz-Signature=...: no name, no password, no signature.
_LOGIN = re.compile(r"(?<=://)[^\s/?#'\"]*@")
_QUESTION = re.compile(r"(://[^\s?#'\"]*)[?#][^\s'\"]*")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[^\s'\"(][^\s'\"]*", re.IGNORECASE)
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9_]{4,}")
# Joiners, without which some languages cannot be written; they move no letter.
_JOINERS = "\u200c\u200d"
_LOOKED_AT = 2000


def without_secrets(text: str) -> str:
    """The text without passwords and questions in addresses, and without tokens."""
    text = _LOGIN.sub("", text)
    text = _QUESTION.sub(r"\1", text)
    text = _BEARER.sub(r"\1 (a secret)", text)
    return _TOKEN.sub("(a token)", text)


def one_line(text: str, most: int = 200) -> str:
    """The text as one line of at most so many characters, each of them shown as it is."""
    line = " ".join(without_secrets(text[:_LOOKED_AT]).split())
    return "".join(
        letter if is_plain(letter) else letter.encode("unicode_escape").decode()
        for letter in line[:most]
    )[:most]


def is_plain(text: str) -> bool:
    """Whether no character of the text controls a terminal or turns the direction of others."""
    return text.isprintable() or all(
        letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"
        for letter in text
    )
