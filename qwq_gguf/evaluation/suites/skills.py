"""Seeded problems of six skills, held out from the training of the demo model.

A key alone does not keep two numbers apart: held out for `multiply`, they may be drawn for
`calculator`. So a suite also leaves out what the demo's training met in some other guise or as a
line of work (contamination.py).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.suites.contamination import was_met
from qwq_gguf.evaluation.suites.problems import SHOWCASE, SKILLS, Problem, is_held_out
from qwq_gguf.evaluation.suites.words import WORDS, invented_word

__all__ = ["SKILL_SUITES", "generate", "suite"]

SKILL_SUITES = ("skills", *SKILLS, "showcase")
"""The names `suite` knows: `skills` for all six, every skill, and `showcase`."""

_PATIENCE = 100_000  # held-out draws in a row that bring nothing new


def _number(rng: random.Random, digits: int) -> int:
    return rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)


def _multiply(rng: random.Random) -> Problem:
    a = _number(rng, rng.choices((1, 2, 3), (1, 2, 3))[0])
    b = _number(rng, rng.choices((1, 2), (2, 3))[0])
    if rng.random() < 0.5:
        a, b = b, a
    form = rng.choice(
        (
            "What is {a}*{b}?",
            "What is {a} * {b}?",
            "What is {a} times {b}?",
            "{a}*{b}",
            "{a} * {b} = ?",
            "Multiply {a} by {b}.",
            "Compute {a}*{b}.",
            "How much is {a} x {b}?",
        )
    )
    low, high = sorted((a, b))
    return Problem(
        "multiply",
        form.format(a=a, b=b),
        str(a * b),
        (str(a), str(b)),
        f"multiply:{low}*{high}",
    )


def _add(rng: random.Random) -> Problem:
    a = _number(rng, rng.randint(1, 6))
    b = _number(rng, rng.randint(1, 6))
    form = rng.choice(
        (
            "What is {a}+{b}?",
            "What is {a} + {b}?",
            "What is {a} plus {b}?",
            "{a}+{b}",
            "{a} + {b} = ?",
            "Add {a} and {b}.",
            "Compute {a}+{b}.",
            "What is the sum of {a} and {b}?",
        )
    )
    low, high = sorted((a, b))
    return Problem("add", form.format(a=a, b=b), str(a + b), (str(a), str(b)), f"add:{low}+{high}")


def _subtract(rng: random.Random) -> Problem:
    a = _number(rng, rng.randint(1, 6))
    b = _number(rng, rng.randint(1, 6))
    if a < b and rng.random() < 0.7:  # most differences people ask for are positive
        a, b = b, a
    form = rng.choice(
        (
            "What is {a}-{b}?",
            "What is {a} - {b}?",
            "What is {a} minus {b}?",
            "{a}-{b}",
            "{a} - {b} = ?",
            "Subtract {b} from {a}.",
            "Compute {a}-{b}.",
        )
    )
    return Problem(
        "subtract", form.format(a=a, b=b), str(a - b), (str(a), str(b)), f"subtract:{a}-{b}"
    )


def _decimal(rng: random.Random, whole: int, places: int) -> str:
    if places == 0:
        return str(whole)
    return f"{whole}.{rng.randrange(10**places):0{places}d}"


def _compare(rng: random.Random) -> Problem:
    while True:
        whole = _number(rng, rng.randint(1, 3))
        other = whole if rng.random() < 0.7 else _number(rng, rng.randint(1, 3))
        a = _decimal(rng, whole, rng.randint(0, 4))
        b = _decimal(rng, other, rng.randint(1, 4))
        if rng.random() < 0.25 and "." in a:  # a shared beginning decides late
            b = a[: a.index(".") + 2] + b[-rng.randint(1, 2) :].replace(".", "")
        if rng.random() < 0.5:
            a, b = b, a
        if Decimal(a) != Decimal(b):
            break
    asked = rng.choice(("larger", "smaller"))
    word = asked if rng.random() < 0.7 else {"larger": "bigger", "smaller": "less"}[asked]
    form = rng.choice(
        (
            "Which is {w}, {a} or {b}?",
            "Which is {w}: {a} or {b}?",
            "Which number is {w}, {a} or {b}?",
            "What is {w}, {a} or {b}?",
        )
    )
    pick = max if asked == "larger" else min
    return Problem(
        "compare",
        form.format(w=word, a=a, b=b),
        pick((a, b), key=Decimal),
        (a, b, asked),
        "compare:" + ",".join(sorted((a, b))),
    )


def _letters(rng: random.Random) -> Problem:
    word = rng.choice(WORDS) if rng.random() < 0.4 else invented_word(rng)
    if rng.random() < 0.8:
        letter = rng.choice(word)
    else:
        letter = rng.choice("abcdefghijklmnopqrstuvwxyz")
    form = rng.choice(
        (
            'How many {c}\'s are in "{w}"?',
            'How many {c}\'s are there in "{w}"?',
            'How many times does {c} appear in "{w}"?',
            'Count the letter {c} in "{w}".',
            "How many {c}'s are in {w}?",
            "How many {c} are in {w}?",
        )
    )
    return Problem(
        "letters",
        form.format(c=letter, w=word),
        str(word.count(letter)),
        (word, letter),
        f"letters:{word}",
    )


def _calculator(rng: random.Random) -> Problem:
    a = _number(rng, rng.randint(2, 6))
    b = _number(rng, rng.randint(2, 6))
    operator = rng.choices("*+-/", (5, 2, 2, 1))[0]
    if operator == "/":
        b = max(b, 2)
        a *= b
    value = {"*": a * b, "+": a + b, "-": a - b, "/": Fraction(a, max(b, 1))}[operator]
    gap = rng.choice(("", " "))
    spoken = f"{a}{gap}{operator}{gap}{b}"
    form = rng.choice(
        ("What is {e}?", "{e}", "Compute {e}.", "How much is {e}?", "Please compute {e}.")
    )
    return Problem(
        "calculator",
        form.format(e=spoken),
        str(value),
        (f"{a}{operator}{b}",),
        f"calculator:{a}{operator}{b}",
        ("calculator",),
    )


_GENERATORS: dict[str, Callable[[random.Random], Problem]] = {
    "multiply": _multiply,
    "add": _add,
    "subtract": _subtract,
    "compare": _compare,
    "letters": _letters,
    "calculator": _calculator,
}


def generate(skill: str, rng: random.Random, *, held_out: bool) -> Problem:
    """Draw one problem of `skill` from one side of the split."""
    generator = _GENERATORS[skill]
    while True:
        problem = generator(rng)
        if is_held_out(problem.key) == held_out:
            return problem


def _distinct(skill: str, rng: random.Random) -> Iterator[Problem]:
    seen: set[str] = set()
    fruitless = 0
    while fruitless < _PATIENCE:
        problem = generate(skill, rng, held_out=True)
        fruitless += 1
        if problem.key not in seen and not was_met(problem.key):
            seen.add(problem.key)
            fruitless = 0
            yield problem
    raise EvaluationError(
        f"{skill} has no more held-out problems", found=len(seen), hint="a lower --limit"
    )


def suite(name: str, *, limit: int | None = None, seed: int = 0) -> list[Problem]:
    """The held-out problems of a suite, the same for the same seed on every machine.

    The training of the demo model met none of them, `showcase` apart: neither that of the
    shipped weights nor any that scripts/train_demo makes now. Of other models this says nothing.
    `limit` is the number of problems a skill (100 unless given), distinct by key. Raises
    EvaluationError for a name that is not in `SKILL_SUITES` and for more than there are.
    """
    if name not in SKILL_SUITES:
        raise EvaluationError(
            "no such suite", found=name, expected=", ".join(SKILL_SUITES), hint="--suite skills"
        )
    if name == "showcase":
        return list(SHOWCASE[:limit])
    count = 100 if limit is None else limit
    problems: list[Problem] = []
    for skill in SKILLS if name == "skills" else (name,):
        drawn = _distinct(skill, random.Random(f"{skill}|{seed}"))
        problems.extend(next(drawn) for _ in range(count))
    return problems
