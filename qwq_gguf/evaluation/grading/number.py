"""The grader `number`: one number, in any dress that a person would take it in. Pure.

What is boxed counts, if anything is; without a box, what the answer calls its answer, or else the
last result that it states: "4341 + 1129 = 5470" says 5470.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading.answer import boxed
from qwq_gguf.evaluation.grading.numerals import Numeral
from qwq_gguf.evaluation.grading.stated import stated_choice, stated_numeral
from qwq_gguf.evaluation.grading.stated_count import stated_count
from qwq_gguf.evaluation.grading.units import unit_after, unit_named
from qwq_gguf.evaluation.questions import Grade

__all__ = ["grade_number", "number_in"]

_MOST_STATED = 20_000  # characters at the end in which an answer that is not boxed is looked for
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400}|\d{1,400}/\d{1,400})")
_PLACES = re.compile(r"\.(\d{3,})")
_COMPOUND = re.compile(r"\s*(?:,|and|&)?\s*$")


def grade_number(expected: dict[str, Any], answer: str, question: str) -> Grade:
    """Compare the number that `answer` gives with ``expected["value"]``.

    EvaluationError for an `expected` that is no number, or a unit that is not known.
    """
    written = str(expected["value"])
    wanted, percent = number_in(written), written.endswith("%")
    if wanted is None:
        raise EvaluationError("the expected value is no number", found=written)
    given = boxed(answer)
    if given == written:
        return Grade(True, given)
    text = (answer if given is None else given)[-_MOST_STATED:]
    if "choose" in expected or "letter" in expected:
        got = None if given is None else number_in(given)
        if got is None and "choose" in expected:
            got = stated_choice(text, tuple(expected["choose"]))
        elif got is None:
            got = stated_count(text, expected["letter"])
        return _compared(got, got == wanted, given, written)
    parts = percent or wanted.denominator != 1
    got = None if given is None or percent else number_in(given)
    if not parts and given is not None and "/" in given:
        got = None  # 6/3 is the question again and no answer to it
    if got is not None:
        right = _close(got, wanted, expected, given or "")
        return _compared(got, right, given, written)
    found = stated_numeral(text, question, parts=parts)
    if found is None:
        return Grade(False, given, "no number is stated")
    numeral, said = found
    return _of_numeral(expected, wanted, percent, numeral, said)


def number_in(text: str) -> Fraction | None:
    """The number that a text is, and nothing besides but separators, a dollar or percent sign."""
    for dress in ("{,}", ",", "\\!", "\\,", "$", "\\"):
        text = text.replace(dress, "")
    text = text.strip().removesuffix("%").strip()
    if not _NUMBER.fullmatch(text) or re.search(r"/0+$", text):
        return None
    return Fraction(text)


def _of_numeral(
    expected: dict[str, Any], wanted: Fraction, percent: bool, numeral: Numeral, said: str
) -> Grade:
    got = numeral.value
    written = said[numeral.start : numeral.end]
    if numeral.percent and not percent:
        got /= 100
    unit = expected.get("unit")
    if unit is not None:
        known = unit_named(unit)
        after = unit_after(said, numeral.end)
        if known is not None and after is not None:
            if after[0] != known[0]:
                return Grade(False, written, f"not in {unit}")
            got = got * after[1] / known[1] + _before(said, numeral, after, known)
    right = _close(got, wanted, expected, written)
    return _compared(got, right, written, str(expected["value"]))


def _before(
    said: str, last: Numeral, unit: tuple[str, Fraction], known: tuple[str, Fraction]
) -> Fraction:
    """What stands before the last number and belongs to it: the hours of 2 hours 30 minutes."""
    ahead = re.search(
        r"(\d[\d,.]{0,15})\s*([A-Za-z]{1,12})([\s,]*(?:and|&)?\s*)$", said[: last.start][-60:]
    )
    if ahead is None or not _COMPOUND.match(ahead[3]):
        return Fraction(0)
    bigger = unit_named(ahead[2])
    value = number_in(ahead[1])
    if bigger is None or value is None or bigger[0] != unit[0] or bigger[1] <= unit[1]:
        return Fraction(0)
    return value * bigger[1] / known[1]


def _close(got: Fraction, wanted: Fraction, expected: dict[str, Any], written: str) -> bool:
    if got == wanted:
        return True
    tolerance = str(expected.get("tolerance", "0"))
    share = number_in(tolerance)
    if share is None:
        raise EvaluationError("a tolerance is no number", found=tolerance, expected="0.01, or 1%")
    if tolerance.endswith("%"):
        share = share / 100 * abs(wanted)
    if share and abs(got - wanted) <= share:
        return True
    # 1/3 may be written .333: three places or more, rounded.
    places = _PLACES.search(written)
    if places is None or _is_decimal(wanted):
        return False
    return abs(got - wanted) <= Fraction(6, 10 ** (len(places[1]) + 1))


def _is_decimal(value: Fraction) -> bool:
    """Whether it can be written out with a few places."""
    return (value * 10**6).denominator == 1


def _compared(got: Fraction | None, right: bool, found: str | None, wanted: str) -> Grade:
    if got is None:
        return Grade(False, found, "no number is stated")
    return Grade(right, found or str(got), None if right else f"not {wanted}")
