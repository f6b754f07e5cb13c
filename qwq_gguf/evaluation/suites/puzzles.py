"""The suite `puzzles`: mazes, rivers, scales, dates, decimals, letters, solved when drawn.

Mazes and rivers are searched through in breadth, so that what is expected is the least there is;
weighings are counted over every way to lay the coins on the scale (`puzzle_solvers.py`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.puzzle_solvers import least_crossings, least_steps, least_weighings
from qwq_gguf.evaluation.suites.words import WORDS

__all__ = ["PUZZLES", "puzzles"]

_BOXED = "\n\nGive the number in \\boxed{}."
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_BEASTS = ("wolf", "goat", "fox", "hen", "dog", "cat", "mouse", "snake", "lion", "sheep")
_PLANTS = ("cabbage", "sack of grain", "basket of carrots", "bale of hay", "crate of lettuce")


def _question(skill: str, key: str, text: str, expected: dict[str, Any], grader: str) -> Question:
    return Question(key=f"{skill}:{key}", skill=skill, text=text, grader=grader, expected=expected)


def _maze(dice: random.Random) -> Question | None:
    width, height = dice.randint(4, 8), dice.randint(3, 7)
    cells = [["#" if dice.random() < 0.3 else "." for _ in range(width)] for _ in range(height)]
    places = [(row, column) for row in range(height) for column in range(width)]
    start, goal = dice.sample(places, 2)
    for (row, column), letter in ((start, "S"), (goal, "G")):
        cells[row][column] = letter
    rows = tuple("".join(row) for row in cells)
    steps = least_steps(rows)
    if steps is None or steps < 4:
        return None
    drawn = "\n".join(" ".join(row) for row in rows)
    text = (
        "In this maze # is a wall, . is free, S is the start and G the goal. A step leads up, "
        f"down, left or right into the next place.\n\n{drawn}\n\n"
        f"What is the least number of steps from S to G?{_BOXED}"
    )
    return _question("maze", "/".join(rows), text, {"value": str(steps)}, "number")


def _crossing(dice: random.Random) -> Question | None:
    count = dice.randint(2, 5)
    beasts = dice.randint(1, count - 1)
    names = (*dice.sample(_BEASTS, beasts), *dice.sample(_PLANTS, count - beasts))
    pairs = [(a, b) for a in range(beasts) for b in range(count) if a != b]
    eats = tuple(sorted(dice.sample(pairs, dice.randint(0, min(3, len(pairs))))))
    seats = dice.randint(1, 4)
    trips = least_crossings(count, eats, seats)
    if trips is None:
        return None
    told = [
        f"The {names[a]} eats the {names[b]} if the farmer is not on the same bank."
        for a, b in eats
    ]
    rules = " ".join(told) or "None of them harms another."
    room = (
        "one compartment, which holds"
        if seats == 1
        else f"{seats} separate compartments, each of which holds"
    )
    text = (
        f"A farmer wants to bring {_listed([f'a {name}' for name in names])} across a river. "
        f"Beside the farmer, who alone can row, the boat has {room} one of them safely. {rules}\n\n"
        "One way across the river is one crossing, there or back. What is the least number of "
        f"crossings that brings all of them to the other bank?{_BOXED}"
    )
    key = f"{','.join(names)};{','.join(f'{a}>{b}' for a, b in eats)};{seats}"
    return _question("crossing", key, text, {"value": str(trips)}, "number")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _weighing(dice: random.Random) -> Question | None:
    coins, most = dice.randint(3, 40), dice.choice((1, 2, 3, 4, 6, 50))
    lighter = dice.random() < 0.5
    weighings = least_weighings(coins, most)
    limit = (
        ""
        if most == 50
        else f" At most {most} coin{'s fit' if most > 1 else ' fits'} on each of its two pans."
    )
    text = (
        f"Of {coins} coins that look alike one is {'lighter' if lighter else 'heavier'} than the "
        f"others, which all weigh the same. You have a balance without weights.{limit} How many "
        f"weighings are enough, and needed, to be sure to find that coin in the worst case?{_BOXED}"
    )
    key = f"{coins}/{most}/{'lighter' if lighter else 'heavier'}"
    return _question("weighing", key, text, {"value": str(weighings)}, "number")


def _date(dice: random.Random) -> Question | None:
    day = date(dice.randint(1995, 2035), 1, 1) + timedelta(days=dice.randrange(365))
    later = dice.randint(10, 400)
    then = day + timedelta(days=later)
    if dice.random() < 0.5:
        text = (
            f"{_written(day)} is a {_DAYS[day.weekday()]}. What day of the week is it {later} days "
            "later?\n\nGive the name of the day in \\boxed{}."
        )
        expected = {"answer": _DAYS[then.weekday()]}
        return _question("date", f"weekday/{day}/{later}", text, expected, "text")
    text = (
        f"How many days after {_written(day)} is {_written(then)}?"
        f" The day after {_written(day)} is 1 day after it.{_BOXED}"
    )
    return _question("date", f"between/{day}/{then}", text, {"value": str(later)}, "number")


def _written(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _decimals(dice: random.Random) -> Question | None:
    whole = dice.randint(1, 40)
    a = f"{whole}.{dice.randint(1, 9)}"
    b = f"{whole}.{dice.randint(10, 99)}"
    if Decimal(a) == Decimal(b):
        return None
    asked = dice.choice(("larger", "smaller"))
    first, second = dice.sample((a, b), 2)
    text = f"Which number is {asked}, {first} or {second}?{_BOXED}"
    pick = max if asked == "larger" else min
    expected = {"value": pick((a, b), key=Decimal), "choose": [first, second, asked]}
    return _question("decimals", f"{asked}/{first}/{second}", text, expected, "number")


def _letters(dice: random.Random) -> Question | None:
    words = dice.sample(WORDS, dice.randint(1, 4))
    phrase = " ".join(words)
    letter = dice.choice(phrase.replace(" ", ""))
    where = "the word" if len(words) == 1 else "the words"
    text = f'How many times does the letter {letter} occur in {where} "{phrase}"?{_BOXED}'
    expected = {"value": str(phrase.count(letter)), "letter": letter}
    return _question("letters", f"{letter}/{'-'.join(words)}", text, expected, "number")


PUZZLES: dict[str, Callable[[random.Random], Question | None]] = {
    "maze": _maze,
    "crossing": _crossing,
    "weighing": _weighing,
    "date": _date,
    "decimals": _decimals,
    "letters": _letters,
}
"""What draws a puzzle of each kind, or None where the draw is no good."""


def puzzles(kind: str, seed: int) -> Iterator[Question]:
    """Puzzles of a kind, each key once, until a long row of draws brings nothing new."""
    dice = random.Random(f"puzzles|{kind}|{seed}")
    seen: set[str] = set()
    fruitless = 0
    while fruitless < 20_000:
        question = PUZZLES[kind](dice)
        fruitless += 1
        if question is not None and question.key not in seen:
            seen.add(question.key)
            fruitless = 0
            yield question
