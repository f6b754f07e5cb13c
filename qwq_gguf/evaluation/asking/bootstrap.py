"""Intervals by resampling problems: Efron's percentile bootstrap over clusters. Pure.

Replies to one problem are alike, so problems are drawn, not replies: each draw has as many as
there are, some of them several times, with all their replies. The figure of each draw is
computed, and the interval is what the middle 95 % of them lie in (B. Efron, R. Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 13; for clusters A. Davison, D. Hinkley, Bootstrap
Methods and their Application, 1997, section 3.8).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Draws",
    "Estimate",
    "draw_problems",
    "quantile",
    "ratio",
    "unseen_share",
]

RESAMPLES = 2000
LEVEL = 0.95
_AT_ONCE = 1 << 22  # weights of a quantile that are held at a time

Draws = npt.NDArray[np.uint16]
"""A row a draw, with how often each problem is in it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval; an end of it is None where there is none (a share of nothing)."""

    value: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, Any]:
        """As an object of numbers, rounded to what they can mean."""
        return {name: _rounded(getattr(self, name)) for name in ("value", "low", "high")}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def draw_problems(problems: int, *, resamples: int = RESAMPLES, seed: int = 0) -> Draws:
    """How often each of so many problems is in each draw; the same for the same numbers."""
    dice = np.random.Generator(np.random.PCG64(seed))
    draws = np.empty((resamples, problems), np.uint16)
    for row in draws:
        row[:] = np.bincount(dice.integers(0, problems, problems), minlength=problems)
    return draws


def ratio(tops: Sequence[float], bottoms: Sequence[float], draws: Draws) -> Estimate | None:
    """One sum divided by another, each over problems (a mean, where the second counts replies).

    None where the second is 0.
    """
    whole = math.fsum(bottoms)
    if whole == 0:
        return None
    top, bottom = (draws @ np.asarray(each, float) for each in (tops, bottoms))
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(bottom == 0, np.inf, top / bottom)
    return Estimate(math.fsum(tops) / whole, *_middle(values))


def quantile(
    values: Sequence[float], owners: Sequence[int], share: float, draws: Draws
) -> Estimate:
    """The nearest-rank quantile of replies; `owners` are the numbers of their problems.

    For `share` 0.5 of an even number the middle two are averaged, as a median is.
    """
    order = np.argsort(values, kind="stable")
    ordered = np.asarray(values, float)[order]
    problems = np.asarray(owners)[order]
    everything = np.ones((1, draws.shape[1]), np.uint16)
    value = float(_quantiles(ordered, problems, share, everything)[0])
    rows = max(1, _AT_ONCE // max(1, len(values)))
    parts = [
        _quantiles(ordered, problems, share, draws[at : at + rows])
        for at in range(0, len(draws), rows)
    ]
    return Estimate(value, *_middle(np.concatenate(parts)))


def _quantiles(
    ordered: npt.NDArray[np.float64],
    problems: npt.NDArray[np.int64],
    share: float,
    draws: Draws,
) -> npt.NDArray[np.float64]:
    """The quantile of each draw; a draw always has a reply, as every problem has."""
    reached = np.cumsum(draws[:, problems], axis=1, dtype=np.int64)
    total = reached[:, -1]
    # The rank is computed in whole numbers of a millionth: 0.95 is no binary fraction.
    rank = np.maximum(-(-total * round(share * 1_000_000) // 1_000_000), 1)
    found: npt.NDArray[np.float64] = ordered[np.argmax(reached >= rank[:, None], axis=1)]
    if share == 0.5:
        after = np.minimum(rank + 1 - total % 2, total)
        found = (found + ordered[np.argmax(reached >= after[:, None], axis=1)]) / 2
    return found


def _middle(values: npt.NDArray[np.float64]) -> tuple[float | None, float | None]:
    if not len(values):
        return None, None
    tail = (1 - LEVEL) / 2
    ends = np.quantile(values, (tail, 1 - tail), method="inverted_cdf")
    low, high = (float(end) if math.isfinite(end) else None for end in ends)
    return low, high


def unseen_share(problems: int) -> float:
    """The largest share of something that shows in none of so many problems once in forty runs.

    Where all problems agree every draw does, too, and a bootstrap says nothing: then the interval
    goes so far from what was seen (C. Clopper, E. Pearson, Biometrika 26, 1934).
    """
    return float(1 - ((1 - LEVEL) / 2) ** (1 / problems)) if problems else 1.0
