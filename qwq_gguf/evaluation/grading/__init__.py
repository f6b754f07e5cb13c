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
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading.answer import after_thought
from qwq_gguf.evaluation.questions import Grade, Question

__all__ = ["GRADERS", "Call", "grade", "ungradable"]

GRADERS = (
    *("number", "math", "choice", "regex", "text", "code", "ifeval", "bfcl", "date", "called"),
)
"""The names of all graders."""


class Call(Protocol):
    """What a model asked for, as chat.messages.ToolCall has it."""

    @property
    def name(self) -> str:
        """The function's name."""
        ...

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Its arguments by name."""
        ...


def grade(question: Question, answer: str, calls: Sequence[Call] = ()) -> Grade:
    """What became of `answer`, the text after the thought, and of the `calls` that were made.

    EvaluationError for a grader that there isn't or cannot work here (`ungradable` says so before
    anything is asked), and for an expected value that is none.
    """
    if question.grader not in GRADERS:
        raise EvaluationError("no such grader", found=question.grader, expected=", ".join(GRADERS))
    try:
        return _grade(question.grader, question, after_thought(answer), calls)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise EvaluationError(
            f"what the question {question.key} expects is not what its grader takes",
            found=f"{type(error).__name__}: {error}"[:200],
            expected=f"the form of {question.grader} (docs/grading.md)",
        ) from error


def ungradable(question: Question) -> str | None:
    """Why a question cannot be graded on this machine, None where it can."""
    if question.grader not in GRADERS:
        return f"there is no grader {question.grader}"
    match question.grader:
        case "ifeval":
            from qwq_gguf.evaluation.grading.ifeval import not_told

            return not_told(question.expected)
        case "math":
            from importlib.util import find_spec

            return None if find_spec("sympy") else "sympy is missing: pip install 'qwq-gguf[eval]'"
        case "code":
            from qwq_gguf.evaluation.grading.code import why_not_run

            return why_not_run()
    return None


def _grade(name: str, question: Question, answer: str, calls: Sequence[Call]) -> Grade:
    expected = question.expected
    match name:
        case "number":
            from qwq_gguf.evaluation.grading.number import grade_number

            return grade_number(expected, answer, question.text)
        case "math":
            from qwq_gguf.evaluation.grading.mathematics import grade_math

            return grade_math(expected, answer, question.text)
        case "choice":
            from qwq_gguf.evaluation.grading.choice import grade_choice

            return grade_choice(expected, answer, question.text)
        case "regex":
            from qwq_gguf.evaluation.grading.texts import grade_regex

            return grade_regex(expected, answer)
        case "text":
            from qwq_gguf.evaluation.grading.texts import grade_text

            return grade_text(expected, answer)
        case "code":
            from qwq_gguf.evaluation.grading.code import grade_code

            return grade_code(expected, answer)
        case "ifeval":
            from qwq_gguf.evaluation.grading.ifeval import grade_instructions

            return grade_instructions(expected, answer)
        case "bfcl":
            from qwq_gguf.evaluation.grading.bfcl import grade_calls

            return grade_calls(expected, calls)
        case "date":
            from qwq_gguf.evaluation.grading.calendar_day import grade_date

            return grade_date(expected, answer, datetime.now())
        case "called":
            from qwq_gguf.evaluation.grading.bfcl import grade_called

            then = expected["then"]
            missing = grade_called(expected, calls)
            return missing or _grade(
                then["grader"], _with(question, then["expected"]), answer, calls
            )
    raise EvaluationError("no such grader", found=name, expected=", ".join(GRADERS))


def _with(question: Question, expected: Any) -> Question:
    return replace(question, expected=expected)
