"""Words for people: strangers' text made harmless, lists, suggestions, and numbers that read well.

Pure, and the only place that decides any of it: the same size has the same unit in every
message, and the same name the same suggestion.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

__all__ = [
    "clean",
    "count",
    "did_you_mean",
    "human_bytes",
    "human_count",
    "human_time",
    "is_plain",
    "message_of",
    "one_line",
    "one_of",
    "some",
    "without_secrets",
]

# What can move the cursor, change colours, set the clipboard or reorder what is read:
# C0 (but newline and tab), DEL, C1, the bidirectional controls, line and paragraph
# separators, and lone surrogates, which no encoding accepts.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufff9-\ufffb]"
)
# Joiners, without which some languages cannot be written; they move no letter.
_JOINERS = "\u200c\u200d"

# https://user:secret@host/path?X-Amz-Signature=...: no name, no password, no signature.
_LOGIN = re.compile(r"(?<=://)[^\s/?#'\"]*@")
_QUESTION = re.compile(r"(://[^\s?#'\"]*)[?#][^\s'\"]*")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[^\s'\"(][^\s'\"]*", re.IGNORECASE)
_TOKEN = re.compile(r"\bhf_[A-Za-z0-9_]{4,}")
_LOOKED_AT = 2000
_NEAR = 3
_AS_NEAR = 0.1


def clean(text: str) -> str:
    """`text` with every terminal control made visible and harmless; newlines and tabs stay."""
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n"))


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # the Unicode picture of the control character
    if code == 0x7F:
        return "\u2421"
    return "\ufffd"


def is_plain(text: str) -> bool:
    """Whether no character of the text is invisible, controls a terminal or turns others."""
    return text.isprintable() or all(
        letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"
        for letter in text
    )


def one_line(text: str, limit: int = 60) -> str:
    """`text` as one line of at most `limit` characters, harmless and nothing in it unseen."""
    line = " ".join(clean(text[: limit * 8]).split())
    if not is_plain(line):
        line = "".join(letter if is_plain(letter) else _escaped(letter) for letter in line)
    if len(line) <= limit and len(text) <= limit * 8:
        return line
    return line[: limit - 1] + "…"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def message_of(text: str, limit: int = 200) -> str:
    """What a stranger's program says, as one line for a message of ours: without secrets."""
    return one_line(without_secrets(text[:_LOOKED_AT]), limit)


def without_secrets(text: str) -> str:
    """The text without passwords and questions in addresses, and without tokens."""
    text = _LOGIN.sub("", text)
    text = _QUESTION.sub(r"\1", text)
    text = _BEARER.sub(r"\1 (a secret)", text)
    return _TOKEN.sub("(a token)", text)


def some(names: Iterable[object], most: int = 3, between: str = ", ") -> str:
    """The first names of a list, and how many more there are: `a, b, c and 4 more`."""
    listed = list(names)
    text = between.join(map(str, listed[:most]))
    return text if len(listed) <= most else f"{text} and {len(listed) - most:,} more"


def one_of(known: Iterable[str]) -> str:
    """All names, to choose from."""
    return "one of " + ", ".join(known)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean A or B?` with the known names that are nearest in any case; or None."""
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(word.casefold(), folded, n=_NEAR)
    if not near:
        return None
    # A second name helps only where the first is no better.
    closeness = [SequenceMatcher(None, name, word.casefold()).ratio() for name in near]
    names = [
        folded[name]
        for name, ratio in zip(near, closeness, strict=True)
        if ratio > closeness[0] - _AS_NEAR
    ]
    return f"did you mean {' or '.join(names)}?"


def count(number: int, noun: str) -> str:
    """`3 tokens`, `1 token`, `12,000 tokens`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def human_count(number: float) -> str:
    """Three significant digits and K, M, B, T: 5.01 M, 32.8 B."""
    for limit, unit in ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " K")):
        if number >= limit:
            return _three_digits(number / limit) + unit
    return f"{number:.0f}"


def human_bytes(number: float) -> str:
    """Binary units, as llama.cpp's own listings use them: 18.5 GiB."""
    if number < 1024:
        return f"{number:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        number /= 1024
        if number < 1024:
            return f"{_three_digits(number)} {unit}"
    return f"{number:.0f} TiB"


def _three_digits(number: float) -> str:
    if number >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def human_time(seconds: float) -> str:
    """0.4 s, 12 s, 3 min 20 s, 1 h 05 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
