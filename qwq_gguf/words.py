"""Text for people: making foreign strings safe to print, and numbers easy to read. Pure."""

from __future__ import annotations

import re

__all__ = ["clean", "count", "human_bytes", "human_count", "human_time", "one_line"]

# What can move the cursor, change colours, set the clipboard or reorder what is read:
# C0 (but newline and tab), DEL, C1, the bidirectional controls, line and paragraph
# separators, and lone surrogates, which no encoding accepts.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufff9-\ufffb]"
)


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)  # the Unicode picture of the control character
    if code == 0x7F:
        return "\u2421"
    return "\ufffd"


def clean(text: str) -> str:
    """`text` with every terminal control made visible and harmless; newlines and tabs stay."""
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 60) -> str:
    """`text` as one harmless line of at most `limit` characters."""
    line = " ".join(clean(text[: limit * 8]).split())
    if len(line) <= limit and len(text) <= limit * 8:
        return line
    return line[: limit - 1] + "…"


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
