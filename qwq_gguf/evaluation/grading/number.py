"""The grader `number`: one number, in any dress that a person would take it in. Pure.

What is boxed counts, if anything is; without a box, the last result that the answer states:
"4341 + 1129 = 5470" says 5470.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from qwq_gguf.evaluation.grading.answer import boxed
from qwq_gguf.evaluation.grading.stated import stated_choice, stated_count, stated_number
from qwq_gguf.evaluation.questions import Grade

__all__ = ["grade_number"]

_MOST_STATED = 20_000  # characters at the end in which an answer that is not boxed is looked for
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})")


def grade_number(expected: dict[str, Any], answer: str, question: str) -> Grade:
    """Compare the number that `answer` gives with ``expected["value"]``."""
    given = boxed(answer)
    if given == expected["value"]:
        return Grade(True, given)
    wanted = _value(expected["value"])
    got = None if given is None else _value(given)
    if got is None:
        got = _stated(expected, (answer if given is None else given)[-_MOST_STATED:], question)
    if got is None:
        return Grade(False, given, "no number is stated")
    return Grade(got == wanted, str(got), None if got == wanted else f"not {expected['value']}")


def _value(text: str) -> Fraction | None:
    text = text.replace("{,}", "").replace(",", "").replace("\\!", "").replace("$", "").strip()
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def _stated(expected: dict[str, Any], answer: str, question: str) -> Fraction | None:
    if "choose" in expected:
        return stated_choice(answer, tuple(expected["choose"]))
    if "letter" in expected:
        return stated_count(answer, expected["letter"])
    return stated_number(answer, question)
