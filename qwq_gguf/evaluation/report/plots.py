"""Pictures of numbers: points with intervals, rows of intervals, lines. SVG, by hand.

Each returns what stands within an svg element of that width, and its height.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from qwq_gguf.evaluation.report.labels import Box, numbers, place, together
from qwq_gguf.evaluation.report.scale import Scale, linear, logarithmic
from qwq_gguf.evaluation.report.svg import COLOURS, element, fitted, text, width_of
from qwq_gguf.evaluation.report.values import Interval

__all__ = ["Axis", "Line", "Point", "Row", "lines", "rows", "scatter"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 22, 46
_LEGEND = 20


@dataclass(frozen=True, slots=True)
class Axis:
    """What is along an axis, and how: `least` is how wide it is at least."""

    title: str
    log: bool = False
    least: float = 0.0
    bottom: float | None = None
    top: float | None = None

    def scale(self, values: Sequence[float], start: float, end: float, about: int = 5) -> Scale:
        """A scale for these values."""
        if self.log:
            return logarithmic([value for value in values if value > 0], start, end)
        return linear(
            values, start, end, least=self.least, bottom=self.bottom, top=self.top, about=about
        )


@dataclass(frozen=True, slots=True)
class Point:
    """Two figures with their intervals; `label` is written beside it, `title` shown when it is
    pointed at, `series` decides on colour and shape.
    """

    x: Interval
    y: Interval
    label: str
    title: str
    series: int = 0
    on_front: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A figure under its name."""

    name: str
    value: Interval
    series: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A value at each whole number."""

    name: str
    values: Sequence[tuple[int, float]]


def scatter(
    points: Sequence[Point], x: Axis, y: Axis, series: Sequence[str], width: int
) -> tuple[str, int]:
    """Points, of which those on the front are joined by steps. `series` are names for a legend,
    none where it is empty.
    """
    legend = _legend(series, width)
    high = min(420, round(width * 0.62) + 60)
    bottom = high - _BOTTOM
    across = x.scale(_ends(points, "x"), _LEFT, width - _RIGHT, 3 if width < 500 else 6)
    up = y.scale(_ends(points, "y"), bottom, _TOP)
    parts = [_grid(across, up, x.title, y.title, width, bottom)]
    at = [(across.at(point.x.value), up.at(point.y.value)) for point in points]
    for point, (left, top) in zip(points, at, strict=True):
        parts.append(_whiskers(point, left, top, across, up))
    parts.append(_steps([at[n] for n, point in enumerate(points) if point.on_front]))
    for point, (left, top) in zip(points, at, strict=True):
        parts.append(_mark(left, top, point.series, point.title, ring=point.on_front))
    labels = []
    for group in together(at):
        words = [points[number].label for number in group]
        joined = numbers([*map(int, words)]) if all(map(str.isdecimal, words)) else ", ".join(words)
        labels.append((fitted(joined, width / 3), at[group[0]]))
    bounds = Box(_LEFT, 0, width, bottom)
    taken = [
        box
        for point, place_of in zip(points, at, strict=True)
        for box in _boxes(point, *place_of, across, up)
    ]
    for one in place(labels, bounds, taken):
        if one.far:
            middle = one.x + width_of(one.words) / 2
            end = min(max(one.at[0], one.x), one.x + width_of(one.words)), one.y - 4
            end = end if abs(one.at[1] - end[1]) < 12 else (middle, end[1])
            parts.append(_path("a", [one.at, end]))
        parts.append(text(one.x, one.y, one.words, lined=True))
    return "".join(parts) + _shown(legend, high), high + _LEGEND * len(legend)


def rows(found: Sequence[Row], axis: Axis, reference: float, width: int) -> tuple[str, int]:
    """A row for each figure, with its interval, and a line where nothing would differ."""
    step, top = 40, _TOP
    bottom = top + step * len(found) + 6
    values = [reference, *(end for row in found for end in _three(row.value))]
    across = axis.scale(values, 16, width - 16, 3 if width < 500 else 6)
    parts = [_across(across, top, bottom, axis.title, width)]
    parts.append(_path("r", [(across.at(reference), top), (across.at(reference), bottom)]))
    for number, row in enumerate(found):
        y = top + step * number + 31
        left, right = (across.at(end) for end in _three(row.value)[::2])
        parts.append(text(16, y - 15, fitted(row.name, width - 32), lined=True))
        parts.append(_path(f"k{row.series % COLOURS}", [(left, y), (right, y)]))
        parts.append(_mark(across.at(row.value.value), y, row.series, row.name))
    return "".join(parts), bottom + _BOTTOM


def lines(found: Sequence[Line], x_title: str, y: Axis, width: int) -> tuple[str, int]:
    """A line for each, over whole numbers."""
    names = [line.name for line in found]
    legend = _legend(names, width)
    high = min(420, round(width * 0.55) + 60)
    bottom = high - _BOTTOM
    every = [at for line in found for at, _ in line.values]
    across = linear(every, _LEFT, width - _RIGHT, least=1, about=4 if width < 500 else 8)
    whole = tuple(tick for tick in across.ticks if tick[0] == round(tick[0]))
    across = Scale(across.low, across.high, across.start, across.end, whole)
    up = y.scale([value for line in found for _, value in line.values], bottom, _TOP)
    parts = [_grid(across, up, x_title, y.title, width, bottom)]
    for number, line in enumerate(found):
        at = [(across.at(x), up.at(value)) for x, value in line.values]
        parts.append(_path(f"k{number % COLOURS}", at))
        if len(at) <= 64:
            parts += [_mark(left, top, number, line.name, small=True) for left, top in at]
    return "".join(parts) + _shown(legend, high), high + _LEGEND * len(legend)


# ------------------------------------------------------------------- single parts


def _three(value: Interval) -> tuple[float, float, float]:
    low = value.value if value.low is None else value.low
    return low, value.value, value.value if value.high is None else value.high


def _ends(points: Sequence[Point], side: str) -> list[float]:
    return [end for point in points for end in _three(getattr(point, side))]


def _path(kind: str, places: Sequence[tuple[float, float]]) -> str:
    if len(places) < 2:
        return ""
    return element("path", d="M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places), class_=kind)


def _steps(places: Sequence[tuple[float, float]]) -> str:
    """Left to right: as much as is reached with so little."""
    if not places:
        return ""
    first, *others = sorted(places, key=lambda at: at[0])
    path = [first]
    for x, y in others:
        path += [(x, path[-1][1]), (x, y)]
    return _path("p", path)


def _whiskers(point: Point, left: float, top: float, across: Scale, up: Scale) -> str:
    kind = f"k{point.series % COLOURS}"
    ends = [across.at(end) for end in _three(point.x)[::2] if not across.log or end > 0]
    upper = _three(point.y)
    # Below zero there is nothing on a logarithmic scale: the interval goes to its end.
    heights = [up.at(up.low if up.log and end <= 0 else end) for end in upper[::2]]
    level = [(end, top) for end in ends]
    return _path(kind, level) + _path(kind, [(left, height) for height in heights])


def _boxes(point: Point, left: float, top: float, across: Scale, up: Scale) -> list[Box]:
    """Where a point and its whiskers are."""
    low, _, high = (across.at(end) for end in _three(point.x))
    upper, _, lower = (up.at(max(end, up.low)) for end in reversed(_three(point.y)))
    return [
        Box(left - 7, top - 7, left + 7, top + 7),
        Box(low, top - 2, high, top + 2),
        Box(left - 2, upper, left + 2, lower),
    ]


def _mark(
    x: float, y: float, series: int, title: str, *, ring: bool = False, small: bool = False
) -> str:
    """A point: round, square, a diamond or a triangle by its series, so that colour isn't all."""
    size = 3.5 if small else 5.5
    kind = f"s{series % COLOURS}" + (" o" if ring else "")
    told = element("title", escape(title)) if title else ""
    shape = series % 4
    if shape == 0:
        return element("circle", told, cx=x, cy=y, r=size, class_=kind)
    if shape == 1:
        side = size * 1.8
        place = {"x": x - side / 2, "y": y - side / 2, "width": side, "height": side}
        return element("rect", told, class_=kind, **place)
    reach = size * 1.3
    around = [(x, y - reach), (x + reach, y), (x, y + reach), (x - reach, y)]
    if shape == 3:
        around = [(x, y - reach), (x + reach, y + reach * 0.8), (x - reach, y + reach * 0.8)]
    corners = " ".join(f"{a:.1f},{b:.1f}" for a, b in around)
    return element("polygon", told, points=corners, class_=kind)


def _grid(across: Scale, up: Scale, x_title: str, y_title: str, width: int, bottom: float) -> str:
    parts = [_across(across, _TOP, bottom, x_title, width)]
    for value, label in up.ticks:
        y = up.at(value)
        parts.append(_path("g", [(_LEFT, y), (width - _RIGHT, y)]))
        parts.append(text(_LEFT - 7, y + 4, label, anchor="end", faint=True))
    parts.append(_path("a", [(_LEFT, _TOP), (_LEFT, bottom), (width - _RIGHT, bottom)]))
    middle = (_TOP + bottom) / 2
    turned = element(
        "text", escape(y_title), x=0.0, y=0.0, class_="f", text_anchor="middle",
        transform=f"translate(13 {middle:.1f}) rotate(-90)",
    )  # fmt: skip
    return "".join(parts) + turned


def _across(scale: Scale, top: float, bottom: float, title: str, width: int) -> str:
    parts = []
    for value, label in scale.ticks:
        x = scale.at(value)
        parts.append(_path("g", [(x, top), (x, bottom)]))
        half = width_of(label) / 2
        x = min(max(x, half), width - half)
        parts.append(text(x, bottom + 17, label, anchor="middle", faint=True))
    middle = (scale.start + scale.end) / 2
    parts.append(text(middle, bottom + 37, title, anchor="middle", faint=True))
    return "".join(parts)


def _legend(names: Sequence[str], width: int) -> list[tuple[int, str]]:
    """A line for each; of very many the first ones, and how many more there are."""
    shown = list(enumerate(fitted(name, width - _LEFT - 24) for name in names[:COLOURS]))
    if len(names) > COLOURS:
        shown[-1] = (-1, f"and {len(names) - COLOURS + 1} more, in the same colours again")
    return shown


def _shown(legend: Sequence[tuple[int, str]], top: int) -> str:
    parts = []
    for line, (series, name) in enumerate(legend):
        y = top + line * _LEGEND + 8
        if series >= 0:
            parts.append(_mark(_LEFT + 6, y, series, ""))
        parts.append(text(_LEFT + 20, y + 4.5, name))
    return "".join(parts)
