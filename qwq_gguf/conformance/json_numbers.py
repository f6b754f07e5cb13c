"""Numbers of a stranger's JSON: of any size and any type. Pure."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["real", "tokens", "whole"]

_MOST_TOKENS = 2**31 - 1
_MOST_WHOLE = 2**53


def real(value: Any) -> float | None:
    """A finite number as a float, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:  # a whole number of 400 digits
        return None
    return number if math.isfinite(number) else None


def whole(value: float) -> float | int:
    """A number that should be whole; as it is, if it is too large to be exact."""
    return int(value) if abs(value) <= _MOST_WHOLE else value


def tokens(value: Any) -> int | None:
    """The length of a context, None for what can be none."""
    number = real(value)
    if number is None or not 1 <= number <= _MOST_TOKENS:
        return None
    return int(number)
