"""However a model misbehaves, its reply has an answer, and says how its thought ended."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from qwq_gguf.chat.events import FinishReason, ThoughtEnded
from qwq_gguf.thinking import Governor
from support.unruly import ANSWERS, THOUGHTS, Case, answered, drawn_case, reply_to

FORMS = [(True, False), (True, True), (False, False), (False, True)]
CLOSED_FROM_OUTSIDE = {
    *(ThoughtEnded.BUDGET, ThoughtEnded.TIME, ThoughtEnded.RESERVE, ThoughtEnded.LOOP),
    *(ThoughtEnded.MARGIN, ThoughtEnded.ASKED, ThoughtEnded.STOP),
}
# Without a governor a thought such as these gives no answer.
NEVER_CLOSES = ("loops", "rambles", "ends its turn", "breaks characters", "mute", "blank")


@pytest.mark.parametrize("thought", THOUGHTS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_however_it_thinks_and_answers(thought: str, answer: str) -> None:
    for seed, (inside, spelled), tools in itertools.product(range(2), FORMS, (False, True)):
        case = Case(thought, answer, seed=seed, inside=inside, spelled=spelled, tools=tools)
        response = reply_to(case)
        assert answered(response), case
        assert response.finish_reason in (FinishReason.STOP, FinishReason.LENGTH, FinishReason.LOOP)
        if inside and thought in NEVER_CLOSES:
            assert response.thought_ended in CLOSED_FROM_OUTSIDE, case


@pytest.mark.parametrize("thought", NEVER_CLOSES)
def test_without_a_governor_there_is_none(thought: str) -> None:
    off = Governor(reserve=0, loops=False, answers=False)
    response = reply_to(Case(thought, "honest", off))
    assert not answered(response)


@pytest.mark.parametrize("part", range(6))
def test_whatever_the_governor_says_there_is_an_answer(part: int) -> None:
    for seed in range(10_000 + part * 100, 10_100 + part * 100):
        case = drawn_case(seed)
        response = reply_to(case)
        if case.cancelled_at is None:
            assert answered(response), case
            assert response.finish_reason is not FinishReason.INTERRUPTED
        assert response.thinking_tokens + response.answer_tokens <= case.room


@pytest.mark.parametrize("spelled", [False, True], ids=["token", "spelled"])
@pytest.mark.parametrize("budget", [0, 1, 5, 40])
@pytest.mark.parametrize("answer", ["reopens", "spells an opening"])
def test_all_thoughts_together_keep_to_the_budget(budget: int, answer: str, spelled: bool) -> None:
    """508 tokens were thought at a budget of 5 by one that began again after each end."""
    for seed, inside in itertools.product(range(8), (True, False)):
        governor = Governor(budget, "Enough.", loops=False)
        case = Case("rambles", answer, governor, seed, room=800, inside=inside, spelled=spelled)
        response = reply_to(case)
        assert answered(response)
        # The last words, and of each thought that is begun again both tags.
        assert response.thinking_tokens <= budget + 20 + 4 * 25


def test_a_thought_in_which_the_turn_ends_is_closed_and_the_reply_ends_by_itself() -> None:
    response = reply_to(Case("ends its turn", "honest"))
    assert response.thought_ended is ThoughtEnded.STOP
    assert response.finish_reason is FinishReason.STOP
    assert "so it is" in response.answer or response.answer


def test_a_call_may_end_a_turn_inside_a_thought() -> None:
    ended = {reply_to(Case("calls", "honest", seed=s, tools=True)).thought_ended for s in range(40)}
    assert ThoughtEnded.TOOL_CALL in ended


def test_a_loop_in_an_answer_is_ended() -> None:
    response = reply_to(Case("honest", "loops", room=5000))
    assert response.finish_reason is FinishReason.LOOP
    assert response.answer_tokens < 1000
    free = Case("honest", "loops", Governor(loops=False), room=5000)
    assert reply_to(free).finish_reason is FinishReason.LENGTH


def test_a_wind_down_lets_most_thoughts_close_by_themselves() -> None:
    """The rambler closes only when its closing token is made better than its next word."""
    hard = Governor(budget=200, loops=False)
    soft = replace(hard, wind_down=0.5, wind_down_bias=40.0)
    ended = [reply_to(Case("rambles", "honest", soft, seed)) for seed in range(20)]
    assert {each.thought_ended for each in ended} == {ThoughtEnded.CLOSED}
    assert all(100 < each.thinking_tokens < 200 for each in ended)
    walled = [reply_to(Case("rambles", "honest", hard, seed)) for seed in range(20)]
    assert {each.thought_ended for each in walled} == {ThoughtEnded.BUDGET}


def test_a_time_budget() -> None:
    response = reply_to(Case("rambles", "honest", Governor(seconds=1.0, loops=False)))
    assert response.thought_ended is ThoughtEnded.TIME
    assert 95 <= response.thinking_tokens <= 130  # a hundredth of a second each, and last words


@pytest.mark.parametrize("thought", THOUGHTS)
def test_whatever_room_there_is_there_is_an_answer(thought: str) -> None:
    answers = list(ANSWERS)
    for room, shift in itertools.product(range(1, 65), range(3)):
        answer = answers[(room + shift * 3) % len(answers)]
        inside, spelled = FORMS[(room + len(answer)) % len(FORMS)]
        case = Case(thought, answer, seed=room, room=room, inside=inside, spelled=spelled)
        assert answered(response := reply_to(case)), case
        assert response.thinking_tokens + response.answer_tokens <= room


@pytest.mark.parametrize("thought", ["calls", "honest", "rambles"])
def test_a_reply_that_may_not_call_answers(thought: str) -> None:
    for answer, room, (inside, spelled) in itertools.product(ANSWERS, (5, 40, 300), FORMS):
        case = Case(
            thought, answer, seed=room, room=room, inside=inside, spelled=spelled, tools=True,
            may_call=False,
        )  # fmt: skip
        response = reply_to(case)
        assert response.answer.strip(), case
        assert response.thought_ended is not ThoughtEnded.TOOL_CALL
