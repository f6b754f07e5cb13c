"""Numbers to places: scales, the front, labels beside points, points in a picture."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from qwq_gguf.evaluation.report.labels import Box, numbers, place, together
from qwq_gguf.evaluation.report.pareto_front import front
from qwq_gguf.evaluation.report.plots import Axis, Line, Point, Row, lines, rows, scatter
from qwq_gguf.evaluation.report.scale import linear, logarithmic, size_unit
from qwq_gguf.evaluation.report.svg import COLOURS, DARK, LIGHT, fitted, width_of
from qwq_gguf.evaluation.report.values import Interval


def test_a_scale_has_all_values_between_round_numbers() -> None:
    scale = linear([13, 87], 100, 500)
    assert [label for _, label in scale.ticks] == ["0", "20", "40", "60", "80", "100"]
    assert (scale.at(0), scale.at(50), scale.at(100)) == (100, 300, 500)
    assert (scale.at(-5), scale.at(1e9)) == (100, 500)


@pytest.mark.parametrize(
    ("values", "bounds", "labels"),
    [
        ([1.0, 1.0], {"least": 0.02}, ["0.990", "0.995", "1.000", "1.005", "1.010"]),
        ([98, 104], {"top": 100, "least": 5}, ["95", "96", "97", "98", "99", "100"]),
        ([-0.4, 0.4], {}, ["\N{MINUS SIGN}0.4", "\N{MINUS SIGN}0.2", "0.0", "0.2", "0.4"]),
        ([0, 0], {"bottom": 0, "least": 1}, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_scales_of_values_that_are_near_each_other(
    values: list[float], bounds: dict[str, Any], labels: list[str]
) -> None:
    assert [label for _, label in linear(values, 0, 100, **bounds).ticks] == labels


def test_a_logarithmic_scale_counts_in_powers() -> None:
    scale = logarithmic([3e-6, 0.02], 300, 0)
    assert [label for _, label in scale.ticks] == ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "0.01", "0.1"]
    assert scale.at(1e-6) == 300
    assert scale.at(1e-1) == pytest.approx(0)
    assert scale.at(1e-3) == pytest.approx(120)


def test_sizes_are_read_in_one_unit() -> None:
    assert size_unit([5, 3 << 30]) == ("GiB", 1 << 30)
    assert size_unit([5]) == ("B", 1)


def test_the_front_is_what_nothing_beats_in_both() -> None:
    # (tokens, less right): the second is beaten by the first, the last two are equal.
    points = [(10, -50), (12, -40), (20, -90), (30, -90), (5, -10), (20, -90)]
    assert front(points) == [4, 0, 2, 5]
    assert front([]) == []


def test_points_that_are_near_share_a_label() -> None:
    assert together([(0, 0), (4, 3), (50, 0)]) == [[0, 1], [2]]
    assert numbers([1, 2, 3, 5, 7, 8]) == "1 to 3, 5, 7, 8"


def test_labels_hide_neither_each_other_nor_points() -> None:
    bounds = Box(0, 0, 400, 300)
    points = [(100.0 + 12 * n, 150.0) for n in range(6)]
    found = place([(f"label {n}", at) for n, at in enumerate(points)], bounds)
    boxes = [Box(one.x, one.y - 12, one.x + width_of(one.words), one.y + 4) for one in found]
    boxes += [Box(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    for at, box in enumerate(boxes[:6]):
        assert box.shared(bounds) == pytest.approx(box.area)
        assert not any(box.shared(other) for other in boxes[at + 1 :])


def test_long_names_keep_both_ends() -> None:
    name = "Qwen-" + "x" * 80 + "-Q4_K_M"
    short = fitted(name, 200)
    assert width_of(short) <= 200
    assert short.startswith("Qwen-x")
    assert short.endswith("Q4_K_M")


def test_a_point_stands_where_its_numbers_say() -> None:
    points = [
        Point(Interval(0, 0, 10), Interval(100, 80, 100), "1", "first", 0, True),
        Point(Interval(100, 90, 100), Interval(0, 0, 20), "2", "<second>", 1),
    ]
    axes = Axis("tokens", bottom=0), Axis("right", bottom=0, top=100)
    drawn, height = scatter(points, *axes, ("one & two",), 720)
    left, bottom = 58, height - 20 - 46  # the legend, what is below the axis
    assert f'cx="{left}" cy="22"' in drawn
    assert 'x="701"' in drawn  # a square about the other corner
    assert f"M{left}.0 22.0L" in drawn  # the whisker goes right from the point
    assert "<title>&lt;second&gt;</title>" in drawn
    assert "one &amp; two" in drawn
    assert f"{bottom}" in drawn


def test_the_front_is_joined_by_steps_from_left_to_right() -> None:
    """In whatever order its points come: all there is for so much, until there is more."""
    values = [(40, 90), (10, 50), (20, 70)]
    points = [Point(Interval(x), Interval(y), "1", "", on_front=True) for x, y in values]
    drawn, _ = scatter(points, Axis("tokens"), Axis("right"), (), 720)
    (path,) = re.findall(r'<path d="M([^"]*)" class="p"/>', drawn)
    at = [tuple(map(float, place.split())) for place in path.split("L")]
    assert [x for x, _ in at] == sorted(x for x, _ in at)
    assert [y for _, y in at] == sorted((y for _, y in at), reverse=True)
    for (x, y), (to_x, to_y) in pairwise(at):
        assert x == to_x or y == to_y
    assert at[1][1] == at[0][1]  # level first


def test_intervals_below_zero_end_where_a_logarithmic_scale_does() -> None:
    points = [Point(Interval(1), Interval(1e-4, -1e-5, 3e-4), "a", "a")]
    drawn, height = scatter(points, Axis("size"), Axis("KLD", log=True), (), 720)
    whisker = re.findall(r'<path d="M[\d.]+ ([\d.]+)L[\d.]+ ([\d.]+)" class="k0"', drawn)[-1]
    assert float(whisker[0]) == height - 46
    assert "nan" not in drawn


def test_rows_and_lines_are_as_wide_as_they_are_told() -> None:
    for width in (720, 328):
        drawn, _ = rows([Row("a" * 300, Interval(1.2, 0.8, 1.3))], Axis("ratio"), 1.0, width)
        more, _ = lines([Line("x", [(0, 0.1), (1, 0.3)])], "layer", Axis("e", log=True), width)
        places = [float(x) for x in re.findall(r'(?:[ML]|x="|cx=")(-?[\d.]+)', drawn + more)]
        assert min(places) >= 0
        assert max(places) <= width


def _light(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_told_from_their_ground(theme: dict[str, str]) -> None:
    ground = _light(theme["paper"])
    contrast = {
        name: (max(_light(colour), ground) + 0.05) / (min(_light(colour), ground) + 0.05)
        for name, colour in theme.items()
    }
    assert min(contrast[name] for name in ("ink", "faint", "accent")) >= 4.5
    assert min(contrast[f"s{number}"] for number in range(COLOURS)) >= 3
