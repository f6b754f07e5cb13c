"""The grader `date`: the day that is some days from today, by the clock at the moment of grading.

Today is what no question can name and no suite can know; the tool `date` tells it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading.answer import boxed
from qwq_gguf.evaluation.questions import Grade

__all__ = ["grade_date"]

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SLACK = timedelta(minutes=15)  # the answer may have been made before midnight


def grade_date(expected: Mapping[str, Any], answer: str, now: datetime) -> Grade:
    """Compare the last day in `answer`: a day of the week, or a date as 2026-11-26."""
    days = {(moment + timedelta(days=expected["days"])).date() for moment in (now, now - _SLACK)}
    given = boxed(answer) or answer
    match expected["ask"]:
        case "weekday":
            said = re.findall(rf"\b({'|'.join(_DAYS)})s?\b", given.lower())
            right = {_DAYS[day.weekday()] for day in days}
        case "iso":
            said = re.findall(r"\b\d{4}-\d{2}-\d{2}\b", given)
            right = {day.isoformat() for day in days}
        case other:
            raise EvaluationError(
                "no such question of a date", found=other, expected="weekday, iso"
            )
    found = said[-1] if said else None
    why = None if found in right else "no day is named" if found is None else f"not {min(right)}"
    return Grade(found in right, found, why)
