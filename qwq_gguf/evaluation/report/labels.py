"""Where labels of points go, so that none hides another, or a point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from qwq_gguf.evaluation.report.svg import SIZE, width_of

__all__ = ["Box", "Placed", "numbers", "place", "together"]

_NEAR = 10.0  # units, within which points have one label
_REACHES = (9.0, 22.0, 38.0, 58.0)
_WAYS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
_POINT = 7.0
_MANY = 60  # labels, of which some are hidden wherever they go


class Box(NamedTuple):
    """What is within these bounds."""

    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: Box) -> float:
        """The area that both have."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * high if wide > 0 and high > 0 else 0.0

    @property
    def area(self) -> float:
        """Its own."""
        return (self.right - self.left) * (self.bottom - self.top)


class Placed(NamedTuple):
    """A label's words, with their left end on the line at `y`; `far` from the point at `at`."""

    words: str
    x: float
    y: float
    at: tuple[float, float]
    far: bool


def together(points: Sequence[tuple[float, float]]) -> list[list[int]]:
    """Which points are so near each other that they need one label; each is in one group."""
    groups: list[list[int]] = []
    for number, (x, y) in enumerate(points):
        for group in groups:
            other = points[group[0]]
            if abs(other[0] - x) <= _NEAR and abs(other[1] - y) <= _NEAR:
                group.append(number)
                break
        else:
            groups.append([number])
    return groups


def numbers(found: Sequence[int]) -> str:
    """Whole numbers in few words: 1 to 3, 7."""
    runs: list[list[int]] = []
    for number in sorted(found):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
    )


def place(
    labels: Sequence[tuple[str, tuple[float, float]]],
    bounds: Box,
    taken: Sequence[Box] = (),
) -> list[Placed]:
    """A place for each of these words beside its point: the nearest in which nothing else is, or
    where least is hidden.
    """
    boxes = [*taken, *(_point(at) for _, at in labels)]
    found = []
    reaches = _REACHES if len(labels) <= _MANY else _REACHES[:1]
    for words, at in labels:
        ways = [(_box(words, at, way, reach), reach) for reach in reaches for way in _WAYS]
        best, reach = min(ways, key=lambda one: _cost(one[0], one[1], boxes, bounds))
        boxes.append(best)
        found.append(Placed(words, best.left, best.bottom - 4, at, reach > _REACHES[0]))
    return found


def _point(at: tuple[float, float]) -> Box:
    x, y = at
    return Box(x - _POINT, y - _POINT, x + _POINT, y + _POINT)


def _box(words: str, at: tuple[float, float], way: tuple[int, int], reach: float) -> Box:
    wide, high = width_of(words), SIZE + 3.0
    x, y = at[0] + way[0] * reach, at[1] + way[1] * (reach + high / 2 - 1)
    left = x if way[0] > 0 else x - wide if way[0] < 0 else x - wide / 2
    return Box(left, y - high / 2, left + wide, y + high / 2)


def _cost(box: Box, reach: float, boxes: Sequence[Box], bounds: Box) -> float:
    outside = box.area - box.shared(bounds)
    return 20 * outside + 4 * sum(box.shared(other) for other in boxes) + reach
