"""Worked thoughts for every skill, digit by digit, with a slip mended now and then.

Each thought is a list of spans: text and the weight of its tokens in the loss. A slip has
weight 0, so the model never learns to make one, only to notice it and say "Wait, ...".
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from qwq_gguf.evaluate.problems import Problem


@dataclass(frozen=True, slots=True)
class Span:
    """Text whose tokens weigh `weight` in the loss."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """One line of work: what it says up to its result, the result, what follows."""

    work: str
    result: str
    after: str


def _wrong(result: str, rng: random.Random) -> str:
    """`result` with one digit (or the sign of a comparison) changed."""
    if result in "<=>":
        return rng.choice([sign for sign in "<=>" if sign != result])
    places = [i for i, c in enumerate(result) if c.isdigit()]
    at = rng.choice(places)
    other = rng.choice([d for d in "0123456789" if d != result[at]])
    return result[:at] + other + result[at + 1 :]


def write(steps: Sequence[Step], rng: random.Random, slip: float) -> list[Span]:
    """Write the steps out; with probability `slip` one of them is wrong first."""
    workable = [i for i, s in enumerate(steps) if s.result]
    slips = set()
    if workable and rng.random() < slip:
        slips = set(rng.sample(workable, 2 if len(workable) > 3 and rng.random() < 0.15 else 1))
    spans = []
    for i, step in enumerate(steps):
        if i in slips:
            spans.append(Span(step.work))
            spans.append(Span(_wrong(step.result, rng), 0.0))
            repeated = step.work.lstrip()
            spans.append(Span(f". Wait, {repeated}{step.result}{step.after}"))
        else:
            spans.append(Span(step.work + step.result + step.after))
    return spans


def _columns_add(a: int, b: int) -> tuple[list[Step], int]:
    """Column addition from the right: each column is digit+digit+carry=two digits."""
    width = max(len(str(a)), len(str(b)))
    x, y = f"{a:0{width}d}", f"{b:0{width}d}"
    steps = [Step(f"{x}+{y}:", "", "")]
    carry = 0
    for i in range(width - 1, -1, -1):
        total = int(x[i]) + int(y[i]) + carry
        steps.append(Step(f" {x[i]}+{y[i]}+{carry}=", f"{total:02d}", "," if i else "."))
        carry = total // 10
    steps.append(Step(" So ", str(a + b), "."))
    return steps, a + b


def _times_digit(a: int, digit: int) -> list[Step]:
    """Long multiplication of `a` by one digit."""
    steps = [Step(f"{a}*{digit}:", "", "")]
    carry = 0
    text = str(a)
    for i in range(len(text) - 1, -1, -1):
        total = int(text[i]) * digit + carry
        steps.append(Step(f" {text[i]}*{digit}+{carry}=", f"{total:02d}", "," if i else "."))
        carry = total // 10
    steps.append(Step(" So ", str(a * digit), "."))
    return steps


def _multiply(problem: Problem) -> list[Step]:
    a, b = (int(x) for x in problem.operands)
    if len(str(a)) < len(str(b)):
        a, b = b, a
    if b < 10:
        return _times_digit(a, b)
    tens, ones = divmod(b, 10)
    low, high = a * ones, a * tens * 10
    steps = [Step(f"{a}*{b} = {a}*{ones} + {a}*{tens}0.\n", "", "")]
    steps += [*_times_digit(a, ones), Step("\n", "", "")]
    steps += [*_times_digit(a, tens), Step(" With 0: ", str(high), ".\n")]
    return steps + _columns_add(low, high)[0]


def _add(problem: Problem) -> list[Step]:
    a, b = (int(x) for x in problem.operands)
    return _columns_add(a, b)[0]


def _digit_pairs(x: str, y: str) -> list[Step]:
    """Compare two equally long digit strings from the left, up to the first difference."""
    steps = []
    for p, q in zip(x, y, strict=True):
        if not p.isdigit():
            continue
        sign = "=" if p == q else "<" if p < q else ">"
        steps.append(Step(f" {p} ", sign, f" {q}" + ("," if p == q else ".")))
        if p != q:
            break
    return steps


def _subtract(problem: Problem) -> list[Step]:
    a, b = (int(x) for x in problem.operands)
    width = max(len(str(a)), len(str(b)))
    x, y = f"{a:0{width}d}", f"{b:0{width}d}"
    steps = [Step(f"{x} and {y}:", "", ""), *_digit_pairs(x, y)]
    if a == b:
        return [*steps, Step(" Equal, so ", "0", ".")]
    if a < b:
        x, y = y, x
        steps.append(Step(" Less, so minus", "", ""))
    steps.append(Step(f"\n{x}-{y}:", "", ""))
    borrow = 0
    for i in range(width - 1, -1, -1):
        top, low = int(x[i]), int(y[i]) + borrow
        borrow_next = int(top < low)
        shown = f"{borrow_next}{top}-{y[i]}-{borrow}="
        steps.append(Step(f" {shown}", str(top + 10 * borrow_next - low), "," if i else "."))
        borrow = borrow_next
    return [*steps, Step(" So ", str(a - b), ".")]


def _compare(problem: Problem) -> list[Step]:
    a, b, asked = problem.operands
    whole = max(len(x.partition(".")[0]) for x in (a, b))
    places = max(len(x.partition(".")[2]) for x in (a, b))

    def pad(text: str) -> str:
        left, _, right = text.partition(".")
        return f"{left:0>{whole}}.{right:0<{places}}"

    x, y = pad(a), pad(b)
    sign = "<" if Decimal(a) < Decimal(b) else ">"
    return [
        Step(f"{x} and {y}:", "", ""),
        *_digit_pairs(x, y),
        Step(f" So {a} ", sign, f" {b}."),
        Step(f" The {asked} is ", problem.answer, "."),
    ]


def _letters(problem: Problem) -> list[Step]:
    word, letter = problem.operands
    steps = [Step(f"Count {letter}:", "", "")]
    count = 0
    for c in word:
        count += c == letter
        steps.append(Step(f" {c}", str(count), ""))
    return [*steps, Step(". So ", str(count), ".")]


_STEPS = {
    "multiply": _multiply,
    "add": _add,
    "subtract": _subtract,
    "compare": _compare,
    "letters": _letters,
}


def steps(problem: Problem) -> list[Step]:
    """The work that leads to the answer of a problem solved without a tool."""
    return _STEPS[problem.skill](problem)


def answer(problem: Problem) -> str:
    """What is said after the thought."""
    box = f"\\boxed{{{problem.answer}}}"
    if problem.skill == "compare":
        return f"The {problem.operands[2]} number is {box}."
    if problem.skill == "letters":
        return f"The letter {problem.operands[1]} appears {box} times."
    if problem.skill == "calculator":
        return f"{problem.operands[0]} = {box}"
    sign = {"multiply": "*", "add": "+", "subtract": "-"}[problem.skill]
    return f"{problem.operands[0]}{sign}{problem.operands[1]} = {box}"
