"""The suite `tools`: questions for the calculator and the calendar, and for several calls.

An answer is right when the tools were called that the question is about, and its result is right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from qwq_gguf.evaluation.questions import Question

__all__ = ["TOOL_QUESTIONS", "tool_questions"]

_BOXED = " Give the number in \\boxed{}."


def _called(skill: str, key: str, text: str, calls: list[dict[str, Any]], then: Any) -> Question:
    names = dict.fromkeys(call["name"] for call in calls)
    return Question(
        key=f"tools.{skill}:{key}", skill=skill, text=text, grader="called",
        expected={"calls": calls, "then": then}, tools=tuple(names),
    )  # fmt: skip


def _number(value: int) -> dict[str, Any]:
    return {"grader": "number", "expected": {"value": str(value)}}


def _calculator(dice: random.Random) -> Question:
    a, b, c = dice.randint(1000, 99999), dice.randint(1000, 99999), dice.randint(100, 9999)
    form, value = dice.choice(
        (
            ("{a} * {b}", a * b),
            ("{a} * {b} + {c}", a * b + c),
            ("({a} + {b}) * {c}", (a + b) * c),
            ("{a} * {c} - {b}", a * c - b),
        )
    )
    asked = form.format(a=a, b=b, c=c)
    text = f"Use the calculator: what is {asked}?{_BOXED}"
    return _called(
        "calculator", asked.replace(" ", ""), text, [{"name": "calculator"}], _number(value)
    )


def _calendar(dice: random.Random) -> Question:
    then: dict[str, Any]
    days = dice.choice((-1, 1)) * dice.randint(1, 400)
    when = f"{abs(days)} days {'ago' if days < 0 else 'from today'}"
    if dice.random() < 0.5:
        verb = "was" if days < 0 else "will"
        text = f"What day of the week {verb} it {'be ' * (days > 0)}{when}?"
        text += " Give the name of the day in \\boxed{}."
        then = {"grader": "date", "expected": {"days": days, "ask": "weekday"}}
    else:
        text = f"What is the date {when}? Give it as YYYY-MM-DD in \\boxed{{}}."
        then = {"grader": "date", "expected": {"days": days, "ask": "iso"}}
    return _called("calendar", f"{then['expected']['ask']}/{days}", text, [{"name": "date"}], then)


def _several(dice: random.Random) -> Question:
    a, b, c, d = (dice.randint(1000, 99999) for _ in range(4))
    text = (
        f"A mill sells {a} sacks at {b} cents and another one {c} sacks at {d} cents. Compute with "
        "the calculator what each of them takes in, a call for each, and then how many cents that "
        f"is together.{_BOXED}"
    )
    calls = [{"name": "calculator", "times": 2}]
    return _called("several", f"{a}*{b}+{c}*{d}", text, calls, _number(a * b + c * d))


TOOL_QUESTIONS: dict[str, Callable[[random.Random], Question]] = {
    "calculator": _calculator,
    "calendar": _calendar,
    "several": _several,
}
"""What draws a question of each kind."""


def tool_questions(kind: str, seed: int) -> Iterator[Question]:
    """Questions of a kind, each key once, until a long row of draws brings nothing new."""
    dice = random.Random(f"tools|{kind}|{seed}")
    seen: set[str] = set()
    fruitless = 0
    while fruitless < 20_000:
        question = TOOL_QUESTIONS[kind](dice)
        fruitless += 1
        if question.key not in seen:
            seen.add(question.key)
            fruitless = 0
            yield question
