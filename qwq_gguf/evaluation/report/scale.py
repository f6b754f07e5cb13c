"""Numbers to places on a picture, with round numbers to read them by."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Scale", "linear", "logarithmic", "size_unit"]

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Scale:
    """From `low` at `start` to `high` at `end`, which are places in a picture; `start` may be
    greater, as heights count downwards. `ticks` are values with what to write at them.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[tuple[float, str], ...]
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a value; what is beyond the ends is at the end."""
        low, high = self._of(self.low), self._of(self.high)
        value = min(max(value, self.low), self.high)
        share = (self._of(value) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def _of(self, value: float) -> float:
        return math.log10(value) if self.log else value


def linear(
    values: Iterable[float],
    start: float,
    end: float,
    *,
    least: float = 0.0,
    bottom: float | None = None,
    top: float | None = None,
    about: int = 5,
) -> Scale:
    """One that has all these values, of which there is at least one, from a round number to
    another: at least `least` wide, and not beyond `bottom` and `top`.
    """
    known = list(values)
    low, high = min(known), max(known)
    smallest = max(least, abs(high) * 1e-9, abs(low) * 1e-9, 1e-300)
    if high - low < smallest:
        middle = (low + high) / 2
        low, high = middle - smallest / 2, middle + smallest / 2
    if bottom is not None and low < bottom:
        low, high = bottom, max(high, bottom + smallest)
    if top is not None and high > top:
        low, high = min(low, top - smallest), top
    step = _step((high - low) / about)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    marks = [number * step for number in range(first, last + 1)]
    ticks = tuple((mark, _plain(mark, digits)) for mark in marks)
    return Scale(first * step, last * step, start, end, ticks)


def _step(raw: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5):
        if raw <= factor * power * (1 + 1e-9):
            return factor * power
    return 10 * power


def _plain(value: float, digits: int) -> str:
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        return f"{0:.{digits}f}"  # never less than zero
    return text.replace("-", "\N{MINUS SIGN}")


def logarithmic(values: Iterable[float], start: float, end: float) -> Scale:
    """One in powers of ten that has all these values, which are above zero."""
    known = list(values)
    first = math.floor(math.log10(min(known)) + 1e-9)
    last = max(math.ceil(math.log10(max(known)) - 1e-9), first + 1)
    between = (1, 2, 5) if last - first <= 2 else (1,)
    every = 1 + (last - first) // 9
    ticks = [
        (factor * 10.0**power, _power(factor, power))
        for power in range(first, last + 1, every)
        for factor in between
        if factor == 1 or power < last
    ]
    return Scale(10.0**first, 10.0**last, start, end, tuple(ticks), log=True)


def _power(factor: int, power: int) -> str:
    if -2 <= power <= 4:
        return f"{factor * 10.0**power:g}"
    raised = f"10{str(power).translate(_SUPERSCRIPTS)}"
    return raised if factor == 1 else f"{factor}·{raised}"


def size_unit(nbytes: Iterable[int]) -> tuple[str, float]:
    """The unit in which these sizes are read best, and its bytes."""
    most = max(nbytes)
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if most >= size:
            return unit, float(size)
    return "B", 1.0
