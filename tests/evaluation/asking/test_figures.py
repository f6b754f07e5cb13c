"""Figures and their intervals, against the statistics module, by hand and by brute force."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwq_gguf.evaluation.asking.bootstrap import (
    Estimate,
    draw_problems,
    quantile,
    ratio,
    unseen_share,
)
from qwq_gguf.evaluation.asking.figures import by_cell, by_skill, figures_of
from qwq_gguf.evaluation.asking.pairing import difference
from qwq_gguf.evaluation.asking.sample import Cell, Sample
from qwq_gguf.evaluation.asking.time_shares import SharedTime
from support.samples import sample


def replies(right: Sequence[Sequence[bool]]) -> list[Sample]:
    """A row a problem, with its replies."""
    return [
        sample(f"add:{problem}", number, right=each)
        for problem, row in enumerate(right)
        for number, each in enumerate(row)
    ]


def test_draws_are_the_same_everywhere() -> None:
    draws = draw_problems(5, resamples=300)
    assert (draws.sum(axis=1) == 5).all()
    assert np.array_equal(draws, draw_problems(5, resamples=300))
    assert draws[:2].tolist() == DRAWN


DRAWN = [[0, 2, 1, 1, 1], [4, 0, 0, 0, 1]]


def test_two_problems_say_next_to_nothing() -> None:
    # Of four equally likely draws one has the first problem twice, one the second.
    found = ratio([0, 1], [1, 1], draw_problems(2))
    assert found == Estimate(0.5, 0.0, 1.0)


def test_an_interval_is_as_wide_as_that_of_a_proportion() -> None:
    found = figures_of(replies([[n % 4 != 0] for n in range(400)])).accuracy
    half = 1.96 * math.sqrt(0.75 * 0.25 / 400)
    assert found.value == 0.75
    assert found.low == pytest.approx(0.75 - half, abs=0.005)
    assert found.high == pytest.approx(0.75 + half, abs=0.005)


def test_more_replies_to_the_same_problems_make_no_figure_surer() -> None:
    once = replies([[n % 2 == 0] for n in range(60)])
    often = replies([[n % 2 == 0] * 8 for n in range(60)])
    assert figures_of(often).accuracy == figures_of(once).accuracy
    spread, wider = (figures_of(each).reply_tokens.mean for each in (once, often))
    assert spread == wider


def test_all_right_is_no_certainty() -> None:
    found = figures_of(replies([[True]] * 100)).accuracy
    assert found.value == found.high == 1.0
    # The exact interval of 100 of 100 (Clopper and Pearson).
    assert found.low == pytest.approx(0.96378, abs=1e-5)
    none = figures_of(replies([[False]] * 100))
    assert none.accuracy.high == pytest.approx(0.03622, abs=1e-5)
    assert none.tokens_per_right is None
    assert none.seconds_per_right is None
    assert unseen_share(1) == pytest.approx(0.975)


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), min_size=1, max_size=7))
def test_quantiles_are_those_of_the_replies_drawn(problems: list[list[int]]) -> None:
    owners = [n for n, row in enumerate(problems) for _ in row]
    values = [value for row in problems for value in row]
    draws = draw_problems(len(problems), resamples=41)
    for share in (0.5, 0.95):
        expanded = [
            sorted(v for n, row in enumerate(problems) for v in row * int(draw[n]))
            for draw in draws
        ]
        found = [_plain(row, share) for row in expanded]
        low, high = (
            sorted(found)[math.ceil(0.025 * 41) - 1],
            sorted(found)[math.ceil(0.975 * 41) - 1],
        )
        assert quantile(values, owners, share, draws) == Estimate(
            _plain(sorted(values), share), low, high
        )


def _plain(ordered: Sequence[float], share: float) -> float:
    if share == 0.5:
        return statistics.median(ordered)
    return ordered[max(math.ceil(round(share * len(ordered), 6)), 1) - 1]


def test_figures_of_a_cell() -> None:
    group = [
        sample("add:1", thought_tokens=10, reply_tokens=20, seconds=1.0),
        sample("add:2", thought_tokens=30, reply_tokens=40, right=False, looped=True),
        sample("letters:x", thought_tokens=5, reply_tokens=6, right=False, answered=False),
    ]
    found = figures_of(group)
    assert (found.problems, found.samples, found.right) == (3, 3, 1)
    assert (found.looped, found.unanswered) == (1, 1)
    assert found.thought_tokens is not None
    assert found.thought_tokens.mean.value == 15
    assert found.thought_tokens.median.value == 10
    assert found.thought_tokens.p95.value == 30
    assert found.reply_tokens.mean.value == 22
    assert found.tokens_per_right is not None
    assert (found.tokens_per_right.value, found.tokens_per_right.high) == (66, None)
    assert found.seconds_per_right is not None
    assert found.seconds_per_right.value == 2.0
    assert figures_of(reversed(group)) == found, "replies come in any order"
    assert {skill: len(rows) for skill, rows in by_skill(group).items()} == {"add": 2, "letters": 1}


def test_no_thought_is_no_figure() -> None:
    found = figures_of([sample(thought_tokens=0)])
    assert found.thought_tokens is None
    assert found.to_json()["thought_tokens"] is None
    assert found.to_json()["reply_tokens"]["mean"]["value"] == 15


def test_cells_keep_their_order_and_empty_ones_are_left_out() -> None:
    cells = [Cell("m.gguf", name, "default") for name in ("b", "c", "a")]
    groups = by_cell([sample(profile="a"), sample(profile="b")], cells)
    assert [cell.profile for cell in groups] == ["b", "a"]


def test_differences_are_paired_by_problem_and_dice() -> None:
    first = [sample(f"add:{n}", thought_tokens=100 * n, reply_tokens=100 * n) for n in range(50)]
    other = [
        sample(
            f"add:{n}", thought_tokens=100 * n + 3, reply_tokens=100 * n + 2,
            right=n >= 5, profile="p", answer="two" if n < 9 else "2",
        )
        for n in range(1, 60)
    ]  # fmt: skip
    found = difference(first, other)
    assert found is not None
    assert (found.problems, found.pairs, found.same) == (49, 49, 41)
    assert found.thought_tokens == Estimate(3.0, 3.0, 3.0), "however much problems differ"
    assert found.reply_tokens == Estimate(2.0, 2.0, 2.0)
    assert found.accuracy.value == pytest.approx(-4 / 49)
    assert found.accuracy.low is not None
    assert found.accuracy.low < -4 / 49 < (found.accuracy.high or 0) <= 0


def test_other_dice_are_no_pair() -> None:
    assert difference([sample(seed=1)], [sample(seed=2)]) is None
    one = difference([sample()], [sample(thought_tokens=0)])
    assert one is not None
    assert one.thought_tokens is None
    assert (one.accuracy.low, one.accuracy.high) == (-unseen_share(1), unseen_share(1))


def test_shares_of_a_time_add_up() -> None:
    now = [0.0]
    time = SharedTime(lambda: now[0])
    first = time.begin()
    now[0] = 2.0  # alone
    second = time.begin()
    now[0] = 6.0  # both
    assert time.end(first) == 2.0 + 2.0
    now[0] = 7.0
    assert time.end(second) == 2.0 + 1.0
    now[0] = 100.0  # nobody
    third = time.begin()
    now[0] = 101.0
    assert time.end(third) == 1.0
