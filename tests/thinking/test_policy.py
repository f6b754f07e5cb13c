"""The governor as a whole: what it decides after each token, and what wins over what."""

from __future__ import annotations

import numpy as np
import pytest

from qwq_gguf.chat.events import FinishReason, ThoughtEnded
from qwq_gguf.thinking import NOTHING, Bounds, Decision, Governor, Policy

CLOSE, WAIT = 7, 8
FAR = (1, 1, 0.1)  # thinking tokens, generated ones, seconds


def policy(governor: Governor, bounds: Bounds | None = None, close: int | None = CLOSE) -> Policy:
    bounds = Bounds(governor.budget, governor.seconds) if bounds is None else bounds
    return Policy(governor, bounds, close=close, hesitations=frozenset((WAIT,)))


def test_the_default_lets_an_honest_thought_be() -> None:
    governed = policy(Governor())
    assert governed.begin(thought=True) is NOTHING
    for number in range(2000):
        assert governed.in_thought(number * number, b"so. ", number, number, 0.1) is NOTHING
    assert governed.begin(thought=False) is NOTHING
    for number in range(2000):
        assert governed.in_answer(number * number, b"x") is NOTHING


def looping(governed: Policy, *, thought: bool) -> list[Decision]:
    governed.begin(thought=thought)
    tokens = [1, 2, 3] * 300
    if thought:
        return [governed.in_thought(token, b"so", *FAR) for token in tokens]
    return [governed.in_answer(token, b"x") for token in tokens]


def test_what_goes_in_circles_is_closed_in_a_thought_and_ended_in_an_answer() -> None:
    governed = policy(Governor())
    assert Decision(close=ThoughtEnded.LOOP) in looping(governed, thought=True)
    assert Decision(end=FinishReason.LOOP) in looping(governed, thought=False)
    free = policy(Governor(loops=False))
    assert set(looping(free, thought=True) + looping(free, thought=False)) == {NOTHING}


def test_a_loop_does_not_reach_over_the_end_of_a_thought() -> None:
    governed = policy(Governor())
    governed.begin(thought=True)
    for _ in range(60):
        governed.in_thought(1, b"so", *FAR)
    governed.begin(thought=False)
    assert {governed.in_answer(1, b"x") for _ in range(60)} == {NOTHING}


def test_the_user_wins_over_bounds_and_these_over_loops() -> None:
    governed = policy(Governor(), Bounds(tokens=1))
    governed.begin(thought=True)
    for _ in range(300):
        governed.in_thought(1, b"so", 0, 0, 0.0)
    assert governed.in_thought(1, b"so", 1, 1, 0.0).close is ThoughtEnded.BUDGET
    governed.answer_now()
    assert governed.in_thought(1, b"so", 1, 1, 0.0).close is ThoughtEnded.ASKED
    assert governed.in_thought(1, b"so", 1, 1, 0.0).close is ThoughtEnded.BUDGET


def test_asking_for_an_answer_outside_a_thought_does_nothing_later() -> None:
    governed = policy(Governor())
    governed.begin(thought=False)
    governed.answer_now()
    assert governed.in_answer(1, b"x") is NOTHING
    governed.begin(thought=True)
    assert governed.in_thought(1, b"so", *FAR) is NOTHING


def test_biases_change_only_where_they_have_to() -> None:
    governed = policy(Governor(budget=100, wind_down=0.5, wind_down_bias=16.0))
    assert governed.begin(thought=True) == Decision(bias={})
    before = [governed.in_thought(n, b"so.", n, n, 0.0) for n in range(50)]
    assert set(before) == {NOTHING}
    assert governed.in_thought(1, b"so", 50, 50, 0.0) is NOTHING  # in mid sentence
    at_end = governed.in_thought(2, b"so.", 60, 60, 0.0)
    assert at_end == Decision(bias={CLOSE: 3.0, WAIT: -3.0})
    assert governed.in_thought(3, b"so", 61, 61, 0.0) == Decision(bias={WAIT: -3.0})
    assert governed.in_thought(4, b"so", 90, 90, 0.0) is NOTHING
    assert governed.in_thought(5, b"so.", 99, 99, 0.0).bias == {CLOSE: 16.0, WAIT: -16.0}
    assert governed.in_thought(6, b"so.", 100, 100, 0.0).close is ThoughtEnded.BUDGET
    assert governed.begin(thought=False) == Decision(bias={})


def test_the_penalty_is_there_from_the_first_token_of_a_thought_to_its_last() -> None:
    governed = policy(Governor(hesitation_penalty=2.0))
    assert governed.begin(thought=True) == Decision(bias={WAIT: -2.0})
    assert {governed.in_thought(n, b"so.", *FAR) for n in range(9)} == {NOTHING}
    assert governed.begin(thought=False) == Decision(bias={})


def test_the_margin_is_looked_at_where_a_sentence_ends() -> None:
    governed = policy(Governor(margin=1.0))
    governed.begin(thought=True)
    assert governed.in_thought(1, b"so", *FAR) is NOTHING
    assert governed.in_thought(2, b"it is.", *FAR) == Decision(looks=True)
    logits = np.zeros(20, np.float32)
    logits[CLOSE] = -1.5
    assert governed.see(logits) is NOTHING
    logits[CLOSE] = -0.5
    assert governed.see(logits) == Decision(close=ThoughtEnded.MARGIN)


@pytest.mark.parametrize("close", [None, CLOSE])
def test_a_margin_needs_a_token_that_closes(close: int | None) -> None:
    governed = policy(Governor(margin=1.0), close=close)
    governed.begin(thought=True)
    assert governed.in_thought(2, b"it is.", *FAR).looks is (close is not None)
