from __future__ import annotations

import pytest

from qwq_gguf.chat.events import ThoughtEnded
from qwq_gguf.thinking import Bounds, Governor, holds_thought


def test_no_bound_is_never_reached() -> None:
    none = Bounds()
    assert none.reached(10**9, 10**9, 1e9) is None
    assert none.share(10**9, 10**9, 1e9) == 0.0


@pytest.mark.parametrize(
    "bounds, before, at, why",
    [
        (Bounds(tokens=3), (2, 99, 9.0), (3, 99, 9.0), ThoughtEnded.BUDGET),
        (Bounds(seconds=1.5), (99, 99, 1.4), (99, 99, 1.5), ThoughtEnded.TIME),
        (Bounds(generated=50), (9, 49, 9.0), (9, 50, 9.0), ThoughtEnded.RESERVE),
    ],
)
def test_each_bound_ends_a_thought_that_comes_to_it(
    bounds: Bounds, before: tuple[int, int, float], at: tuple[int, int, float], why: ThoughtEnded
) -> None:
    assert bounds.reached(*before) is None
    assert bounds.reached(*at) is why


def test_the_users_bounds_win() -> None:
    every = Bounds(tokens=1, seconds=1.0, generated=1)
    assert every.reached(1, 1, 1.0) is ThoughtEnded.BUDGET
    assert every.reached(0, 1, 1.0) is ThoughtEnded.TIME
    assert every.reached(0, 1, 0.0) is ThoughtEnded.RESERVE


def test_no_budget_is_there_at_once() -> None:
    assert Bounds(tokens=0).reached(0, 0, 0.0) is ThoughtEnded.BUDGET
    assert Bounds(tokens=0).share(0, 0, 0.0) == 1.0


def test_the_share_is_that_of_the_nearest_bound() -> None:
    bounds = Bounds(tokens=100, seconds=10.0, generated=1000)
    assert bounds.share(50, 100, 1.0) == 0.5
    assert bounds.share(50, 100, 8.0) == 0.8
    assert bounds.share(50, 900, 1.0) == 0.9
    assert bounds.share(500, 900, 1.0) == 1.0


@pytest.mark.parametrize(
    "room, reserve, closing, last",
    [
        (16384, 1024, 20, 16384 - 1024 - 20),
        (1000, 1024, 20, 1000 - 250 - 20),  # a quarter at most
        (1000, 100, 20, 880),
        (32, 1024, 2, 22),
        (31, 1024, 2, 22),
        (12, 1024, 2, 6),  # four for the answer at least
        (12, 3, 2, 7),  # but never more than is wanted
        (6, 1024, 2, 0),  # to be closed before its first token
        (1, 1024, 2, 0),
        (1000, 0, 20, None),
    ],
)
def test_an_answer_keeps_its_room(room: int, reserve: int, closing: int, last: int | None) -> None:
    assert Bounds.of(Governor(reserve=reserve), room, closing).generated == last


def test_the_others_are_the_governors() -> None:
    bounds = Bounds.of(Governor(budget=7, seconds=2.0), 10_000, 5)
    assert (bounds.tokens, bounds.seconds) == (7, 2.0)


@pytest.mark.parametrize("closing", [1, 2, 9])
def test_a_reply_too_short_for_both_has_no_thought(closing: int) -> None:
    least = next(room for room in range(1000) if holds_thought(room, closing))
    assert not any(holds_thought(room, closing) for room in range(least))
    bound = Bounds.of(Governor(), least, closing).generated
    assert bound is not None
    assert bound >= 4  # tokens of thought
    assert least - bound - closing >= 4  # of the answer
