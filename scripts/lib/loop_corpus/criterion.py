"""When a text loops, decided afterwards with all of it in view: the labels of tests/loops.

Not the detector's rules. A text is labelled

- **periodic** if it ends in at least four rounds of one block, of 160 tokens or more together;
- **near** if it ends in a stretch of at least 200 tokens that is copied from before to 90 %, and
  nowhere to less than 70 % of 100 tokens, in at least three and a half rounds. Copied are the
  factors of six tokens or more in a parse of the text by Lempel and Ziv (1977); a round is the
  median distance of the copies;

and the looping stretch begins where its first round does. Of two labels the one whose stretch is
longer by half counts, else it is periodic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

__all__ = ["Label", "copied", "exact_tail", "label"]

_LEAST_COPY = 6


@dataclass(frozen=True, slots=True)
class Label:
    """A looping stretch: to the end of the text from `begin` on, in rounds of `period`."""

    kind: Literal["periodic", "near"]
    period: int
    begin: int


def exact_tail(tokens: Sequence[int], most: int = 2000) -> tuple[int, int]:
    """The period whose exact tail is longest, and how long that tail is; (0, 0) for none.

    The tail of period p is the longest end of the text in which each token equals the one p
    before it, the first p included. Of equal lengths the shortest period is taken.
    """
    text = np.asarray(tokens, np.int64)
    best = (0, 0)
    for period in range(1, min(most, len(text) // 2) + 1):
        if text[-1] != text[-1 - period]:
            continue
        same = text[period:] == text[:-period]
        differ = np.flatnonzero(~same)
        run = len(same) if not len(differ) else len(same) - 1 - int(differ[-1])
        if run >= period and run + period > best[1]:
            best = (period, run + period)
    return best


def copied(tokens: Sequence[int]) -> list[int]:
    """For each token how far back its factor's source lies, 0 where the factor is short."""
    places: dict[tuple[int, ...], list[int]] = {}
    out = [0] * len(tokens)
    noted = at = 0
    while at < len(tokens):
        while noted < at:  # sources begin before the factor does
            places.setdefault(tuple(tokens[noted : noted + _LEAST_COPY]), []).append(noted)
            noted += 1
        longest, source = 0, 0
        for start in reversed(places.get(tuple(tokens[at : at + _LEAST_COPY]), [])):
            size = 0
            while at + size < len(tokens) and tokens[start + size] == tokens[at + size]:
                size += 1
            if size > longest:
                longest, source = size, start
        if longest >= _LEAST_COPY:
            out[at : at + longest] = [at - source] * longest
        at += max(1, longest)
    return out


def label(tokens: Sequence[int]) -> Label | None:
    """How the text loops at its end, None if it doesn't."""
    period, length = exact_tail(tokens)
    exact = None
    if period and length >= max(4 * period, 160):
        exact = Label("periodic", period, len(tokens) - length)
    near = _near(tokens)
    if exact and near and len(tokens) - near.begin > 1.5 * (len(tokens) - exact.begin):
        return near
    return exact or near


def _near(tokens: Sequence[int]) -> Label | None:
    distances = np.array(copied(tokens))
    old = np.concatenate(([0], np.cumsum(distances > 0)))
    end = len(tokens)
    begin = end
    for at in range(end - 1, -1, -1):
        if distances[at] and (at + 100 > end or old[at + 100] - old[at] >= 70):
            if old[end] - old[at] >= 0.9 * (end - at):
                begin = at
        elif at + 100 <= end and old[at + 100] - old[at] < 70:
            break
    if end - begin < 200:
        return None
    inside = distances[begin:]
    period = int(np.median(inside[inside > 0]))
    first = max(0, begin - int(distances[begin]))
    return Label("near", period, first) if end - first >= 3.5 * period else None
