"""Figures as they are written in tables."""

from __future__ import annotations

from collections.abc import Sequence

from qwq_gguf.evaluation.report.values import Interval
from qwq_gguf.words import one_line

__all__ = [
    "NONE",
    "interval",
    "labels_of",
    "least",
    "percent",
    "ratio",
    "signed",
    "signed_percent",
    "tokens",
    "whole",
]

NONE = "-"
_MINUS = "\N{MINUS SIGN}"


def percent(value: float) -> str:
    """A share as 83.3 %."""
    return f"{100 * value:.1f} %"


def signed_percent(value: float) -> str:
    """A difference of shares as +1.2 %."""
    return _sign(100 * value, 1) + " %"


def signed(value: float) -> str:
    """A difference as +1.2."""
    return _sign(value, 1)


def tokens(value: float | None) -> str:
    """A mean, to a tenth."""
    return NONE if value is None else f"{value:,.1f}"


def whole(value: float | None) -> str:
    """A count, or one between two."""
    return NONE if value is None else f"{value:,.1f}".removesuffix(".0")


def ratio(value: float | None) -> str:
    """To four places."""
    return NONE if value is None else f"{value:.4f}"


def least(value: float) -> str:
    """A small number to three digits."""
    if value == 0:
        return "0"
    small = f"{value:.3g}" if 1e-4 <= abs(value) < 1e5 else f"{value:.2e}"
    return small.replace("-", _MINUS)


def interval(value: Interval | None, shown: str = "tokens") -> str:
    """Its ends, written as `shown` says: share, signed_share, tokens, signed, ratio, least."""
    if value is None or (value.low is None and value.high is None):
        return NONE
    ends = (NONE if end is None else _end(end, shown) for end in (value.low, value.high))
    return " to ".join(ends)


def _end(value: float, shown: str) -> str:
    match shown:
        case "share":
            return f"{100 * value:.1f}"
        case "signed_share":
            return _sign(100 * value, 1)
        case "signed":
            return _sign(value, 1)
        case "ratio":
            return f"{value:.4f}"
        case "least":
            return least(value)
    return f"{value:,.1f}"


def _sign(value: float, digits: int) -> str:
    text = f"{value:+,.{digits}f}"
    return f"{0:.{digits}f}" if float(text.replace(",", "")) == 0 else text.replace("-", _MINUS)


def labels_of(names: Sequence[str]) -> list[str]:
    """What tells names of files apart: without ending, and without what all begin with."""
    bare = [one_line(name.removesuffix(".gguf"), 80) for name in names]
    if len(bare) < 2:
        return bare
    first, last = min(bare), max(bare)
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    cut = max(first[:same].rfind(letter) for letter in "-_. ") + 1
    return [name[cut:] or name for name in bare]
