"""The graders `choice`, `text`, `regex` and `date`."""

import time
from datetime import datetime

import pytest

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.grading.calendar_day import grade_date
from qwq_gguf.evaluation.questions import Question

PLANETS = {"A": "Mars", "B": "Jupiter", "C": "Earth", "D": "Venus"}


def right(grader: str, answer: str, expected: object) -> bool:
    text = "Which planet is the largest?"
    question = Question(key="k", skill="s", text=text, grader=grader, expected=expected)
    return grade(question, answer).right


@pytest.mark.parametrize(
    "answer",
    [
        "B",
        "b",
        "(B)",
        "B.",
        "**B**",
        "B) Jupiter",
        "Jupiter",
        "Jupiter.",
        r"\boxed{B}",
        r"\boxed{\text{B}}",
        r"\boxed{B) Jupiter}",
        r"\boxed{\text{Jupiter}}",
        '{"answer": "B"}',
        "{'answer': 'B'}",
        '```json\n{"answer": "B"}\n```',
        'I think so. {"reason": "size", "answer": "B"}',
        "The answer is B.",
        "The correct answer is **B) Jupiter**.",
        "Answer: (B)",
        "The largest planet is Jupiter.",
        "Mars is small. Venus is too. The largest planet is Jupiter.",
        "A is wrong, so the correct option is B.",
        "First I thought the answer is A. But the answer is B.",
        "It is option B, of course.",
        "Jupiter is the largest planet.\n\nB",
    ],
)
def test_the_option_that_is_picked(answer: str) -> None:
    assert right("choice", answer, {"letter": "B", "options": PLANETS})
    assert not right("choice", answer, {"letter": "A", "options": PLANETS})


@pytest.mark.parametrize(
    "answer",
    ["", "I cannot say.", "Mars or Jupiter", "A) Mars\nB) Jupiter\nC) Earth", "A big one is it."],
)
def test_no_option_is_picked(answer: str) -> None:
    for letter in "ABCD":
        assert not right("choice", answer, {"letter": letter, "options": PLANETS})


@pytest.mark.parametrize(
    ("answer", "wanted", "is_right"),
    [
        ("Monday", "Monday", True),
        ("**monday.**", "Monday", True),
        (r"\boxed{\text{Monday}}", "Monday", True),
        ("The answer is: Monday.", "Monday", True),
        ("It is a Monday", "Monday", True),
        ("Tuesday comes first.\n\nMonday", "Monday", True),
        ("Tuesday", "Monday", False),
        ("On Monday.", "Monday", True),
    ],
)
def test_a_text_word_for_word(answer: str, wanted: str, is_right: bool) -> None:
    assert right("text", answer, {"answer": wanted}) is is_right


def test_a_text_that_has_only_to_stand_in_the_answer() -> None:
    expected = {"answer": ["New York", "NYC"], "contains": True}
    assert right("text", "It happened in new  york.", expected)
    assert right("text", "NYC it was", expected)
    assert not right("text", "Newyorkers", expected)


def test_a_pattern() -> None:
    assert right("regex", "It was in 1997.", {"pattern": r"\b19\d\d\b"})
    assert not right("regex", "It was in 2007.", {"pattern": r"\b19\d\d\b"})
    assert not right("regex", "in 1997", {"pattern": r"19\d\d", "whole": True})
    assert right("regex", "1997", {"pattern": r"19\d\d", "whole": True})
    with pytest.raises(EvaluationError, match="pattern"):
        right("regex", "x", {"pattern": "("})
    with pytest.raises(EvaluationError, match="too long"):
        right("regex", "x", {"pattern": "a" * 5000})


def test_a_pattern_without_end_is_ended_and_the_next_one_works() -> None:
    began = time.monotonic()
    assert not right("regex", "a" * 60 + "b", {"pattern": "(a+)+$"})
    assert right("regex", "a", {"pattern": "a"})
    assert time.monotonic() - began < 20


NOW = datetime(2026, 11, 26, 12, 0)


@pytest.mark.parametrize(
    ("answer", "days", "ask", "is_right"),
    [
        (r"\boxed{Friday}", 1, "weekday", True),
        ("Today is Thursday, so it will be a Friday.", 1, "weekday", True),
        ("Saturday", 1, "weekday", False),
        ("No idea", 1, "weekday", False),
        ("It is 2026-12-01.", 5, "iso", True),
        (r"\boxed{2026-11-21}", -5, "iso", True),
        ("2026-12-02", 5, "iso", False),
    ],
)
def test_a_day_from_today(answer: str, days: int, ask: str, is_right: bool) -> None:
    assert grade_date({"days": days, "ask": ask}, answer, NOW).right is is_right


def test_just_after_midnight_yesterday_is_right_too() -> None:
    late = datetime(2026, 11, 26, 0, 5)
    expected = {"days": 0, "ask": "weekday"}
    assert grade_date(expected, "Wednesday", late).right
    assert grade_date(expected, "Thursday", late).right
    assert not grade_date(expected, "Wednesday", NOW).right
