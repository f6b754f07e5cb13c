"""Worked thoughts for every skill, digit by digit, with a slip mended now and then.

Each thought is a list of spans: text and the weight of its tokens in the loss. A slip has
weight 0, so the model never learns to make one, only to notice it and say "Wait, ...".
Spans are tokenized one by one, so a slip begins with the space before it: the model writes ` <`
as one token, and one that only ever saw ` ` and `<` go wrong would never doubt its own ` <`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from qwq_gguf.evaluation.suites.problems import Problem


@dataclass(frozen=True, slots=True)
class Span:
    """Text whose tokens weigh `weight` in the loss."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """One line of work: what it says up to its result, the result, what follows.

    `tempting` are wrong results that are likelier than a random digit: a carry left out. A `rare`
    line is unlike most of its thought: a letter that counts, among those that don't.
    """

    work: str
    result: str
    after: str
    tempting: tuple[str, ...] = ()
    rare: bool = False

    @property
    def concludes(self) -> bool:
        """Whether the line sums up earlier ones, as `So 301.` does."""
        return self.work.lstrip(" .").startswith(_CONCLUSIONS)


_CONCLUSIONS = ("So ", "With 0: ", "The ", "Equal, so ")
WAIT = ". Wait"
NEEDLESS = 0.3  # of the thoughts with slips also doubt a line that is right
CONCLUDING = 0.6  # of the slips are in such lines, of which a thought has few
# Where a thought has rare lines, fewer do, and this part of the others is in rare ones: drawn
# alike, slips there were too seldom to be noticed later.
BESIDE_RARE, RARE = 0.35, 0.5


def other_sign(sign: str, rng: random.Random) -> str:
    """Another sign of a comparison."""
    return rng.choice([other for other in "<=>" if other != sign])


def other_digit(number: str, rng: random.Random) -> str:
    """`number` with one digit changed."""
    places = [i for i, c in enumerate(number) if c.isdigit()]
    at = rng.choice(places)
    other = rng.choice([d for d in "0123456789" if d != number[at]])
    return number[:at] + other + number[at + 1 :]


def wrong_result(step: Step, rng: random.Random) -> str:
    """A wrong result of a line: a likely one, or a digit or sign changed."""
    if step.result in "<=>":
        return other_sign(step.result, rng)
    if step.tempting and rng.random() < 0.5:
        return rng.choice(step.tempting)
    return other_digit(step.result, rng)


def choose_slips(steps: Sequence[Step], rng: random.Random) -> set[int]:
    """Which lines are wrong first: up to a third of them, conclusions more often than others."""
    workable = [i for i, s in enumerate(steps) if s.result]
    conclusions = [i for i in workable if steps[i].concludes]
    columns = [i for i in workable if not steps[i].concludes]
    rare = [i for i in columns if steps[i].rare]
    count = min(rng.choices((1, 2, 3), (5, 3, 2))[0], max(1, len(workable) // 3))

    def one() -> int:
        if not columns or rng.random() < (BESIDE_RARE if rare else CONCLUDING):
            return rng.choice(conclusions)
        return rng.choice(rare if rare and rng.random() < RARE else columns)

    return {one() for _ in range(count)}


def write(steps: Sequence[Step], rng: random.Random, slip: float) -> list[Span]:
    """Write the steps out; with probability `slip` some of them are wrong first.

    Some of these thoughts doubt a right line, too, and find it right: the doubt has weight 0, as a
    slip has, but what follows it is learned. A model that met doubts only behind wrong lines takes
    a doubt of its own for a proof, and changes what was right.
    """
    slips, needless = set(), -1
    if rng.random() < slip:
        slips = choose_slips(steps, rng)
        if rng.random() < NEEDLESS:
            needless = rng.choice([i for i, s in enumerate(steps) if s.result])
    spans = []
    for i, step in enumerate(steps):
        if i in slips:
            work = step.work.removesuffix(" ")
            spans.append(Span(work))
            spans.append(Span(step.work[len(work) :] + wrong_result(step, rng), 0.0))
            spans.append(Span(WAIT))
        elif i == needless:
            spans.append(Span(step.work + step.result))
            spans.append(Span(WAIT, 0.0))
        else:
            spans.append(Span(step.work + step.result + step.after))
            continue
        again = step.work.lstrip(" .")
        again = again[0].lower() + again[1:]
        spans.append(Span(f", {again}{step.result}{step.after}"))
    return spans


def _nearly(total: int, carry: int, shown: str) -> tuple[str, ...]:
    """A column's result without its carry, or one off."""
    near = {total - carry, total - 1, total + 1} - {total}
    return tuple(f"{n:{shown}}" for n in sorted(near) if n >= 0)


def _columns_add(a: int, b: int) -> tuple[list[Step], int]:
    """Column addition from the right: each column is digit+digit+carry=two digits."""
    width = max(len(str(a)), len(str(b)))
    x, y = f"{a:0{width}d}", f"{b:0{width}d}"
    steps = [Step(f"{x}+{y}:", "", "")]
    carry = 0
    for i in range(width - 1, -1, -1):
        total = int(x[i]) + int(y[i]) + carry
        work, near = f" {x[i]}+{y[i]}+{carry}=", _nearly(total, carry, "02d")
        steps.append(Step(work, f"{total:02d}", "," if i else ".", near))
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
        work, near = f" {text[i]}*{digit}+{carry}=", _nearly(total, carry, "02d")
        steps.append(Step(work, f"{total:02d}", "," if i else ".", near))
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
        left = top + 10 * borrow_next - low
        near = _nearly(left, -borrow, "d")
        steps.append(Step(f" {shown}", str(left), "," if i else ".", near))
        borrow = borrow_next
    return [*steps, Step(" So ", str(a - b), ".", (str(b - a),))]


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
        Step(f" The {asked} is ", problem.answer, ".", (b if problem.answer == a else a,)),
    ]


def _letters(problem: Problem) -> list[Step]:
    word, letter = problem.operands
    steps = [Step(f"Count {letter}:", "", "")]
    count = 0
    for c in word:
        count += c == letter
        steps.append(Step(f" {c}", str(count), "", _nearly(count, 0, "d"), c == letter))
    return [*steps, Step(". So ", str(count), ".", _nearly(count, 0, "d"))]


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
