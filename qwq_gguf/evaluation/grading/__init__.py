r"""Is an answer right? A grader each for numbers, mathematics, choices, texts, code and calls.

`grade(question, answer, calls)` takes what stands after the thought, and grades the answer and
not its dress. What each grader expects is JSON:

========  ==========================================================================================
number    ``{"value": "5470"}``; optional ``"tolerance"`` ("0.01", or "1%" of the value) and
          ``"unit"`` ("km"). `value` may be a fraction ("3/4") or a percentage ("25%").
          ``"choose": ["9.9", "9.11", "larger"]`` for one of two numbers (or "smaller"),
          ``"letter": "r"`` for a count of letters, which may be in words.
math      ``{"answer": "\\frac{1}{2}"}``: LaTeX or plain; equal as mathematics. Sets, tuples,
          intervals, matrices, equations; ``"ordered": false`` where the order of a list is free.
choice    ``{"letter": "B", "options": {"A": "...", "B": "..."}}``; options may be left out.
regex     ``{"pattern": "..."}``: found anywhere in the answer; ``"whole": true`` for all of it.
text      ``{"answer": "..."}``, or a list of texts that are all right; case, blanks, marks
          and Markdown aside. ``"contains": true`` where it only has to stand in the answer.
code      ``{"entry": null or "name", "tests": [{"input": "...", "output": "..."}],
          "asserts": ["assert f(1) == 2"], "seconds": 10}``. Without `entry`, a test's input is
          stdin and its output stdout; with it, `input` has one JSON argument a line and
          `output` is a JSON value. ``"setup"`` is code that stands before the answer's.
ifeval    ``{"instructions": [{"id": "length_constraints:number_words", "kwargs": {...}}]}``
bfcl      ``{"calls": [{"name": {"argument": [possible values]}}], "parallel": false}``: no calls
          for a question that none of the functions fits (irrelevance).
date      ``{"days": 30, "ask": "weekday"}`` or "iso": the day that is so many days from today, by
          the clock at the moment of grading.
called    ``{"calls": [{"name": "calculator"}], "then": {"grader": "number", "expected": {...}}}``:
          these tools were called, and what another grader says of the answer.
========  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading.answer import after_thought
from qwq_gguf.evaluation.grading.number import grade_number
from qwq_gguf.evaluation.questions import Grade, Question

__all__ = ["Call", "grade"]


class Call(Protocol):
    """What a model asked for, as chat.messages.ToolCall has it."""

    @property
    def name(self) -> str: ...

    @property
    def arguments(self) -> Mapping[str, Any]: ...


def grade(question: Question, answer: str, calls: Sequence[Call] = ()) -> Grade:
    """What became of `answer`, the text after the thought, and of the `calls` that were made.

    EvaluationError for a grader that there isn't.
    """
    answer = after_thought(answer)
    match question.grader:
        case "number":
            return grade_number(question.expected, answer, question.text)
    raise EvaluationError("no such grader", found=question.grader, expected="number")
