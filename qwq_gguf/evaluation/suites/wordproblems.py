"""The suite `wordproblems`: stories of two to six steps with numbers drawn anew, and solved.

Numbers are drawn until every step comes out as a whole number above zero (the answer may have a
half or a quarter where it is money or a measure) and until the answer does not stand in the text:
whoever only repeats a number of the question is wrong.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.stories import STORIES, Story

__all__ = ["FORM", "KNOWN", "Step", "WordProblem", "draw", "solve", "wordproblems"]

KNOWN = frozenset((1, 2, 3, 5, 7, 10, 12, 20, 50, 100, 1000))
"""Numbers that a step may use although the story does not state them."""

FORM = "\n\nGive the answer as a number in \\boxed{}."
_PEOPLE = [
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Emma",
    "Felix",
    "Grace",
    "Henry",
    "Iris",
    "Jonas",
    "Kate",
    "Leo",
    "Mia",
    "Noah",
    "Olga",
    "Paul",
]
_STEP = re.compile(r"(\w+) = (\w+) ([-+*/]) (\w+)")
_TRIES = 100_000


@dataclass(frozen=True, slots=True)
class Step:
    """One sum of a solution: `a`, `sign`, `b` and what they come to."""

    a: Fraction
    sign: str
    b: Fraction
    result: Fraction


@dataclass(frozen=True, slots=True)
class WordProblem:
    """A story with its numbers, and the steps to the answer, which is the last result."""

    story: Story
    numbers: tuple[int, ...]
    text: str
    steps: tuple[Step, ...]

    @property
    def key(self) -> str:
        """The story and its numbers, whoever it is about."""
        return f"wordproblems:{self.story.name}:{'-'.join(map(str, self.numbers))}"

    def to_question(self) -> Question:
        """As any suite's question, with a word about the form of the answer."""
        value = self.steps[-1].result
        expected = {"value": str(value)}
        if self.story.unit is not None:
            expected["unit"] = self.story.unit
        return Question(
            key=self.key,
            skill="wordproblems",
            text=self.text + FORM,
            grader="number",
            expected=expected,
        )


def solve(story: Story, numbers: dict[str, int]) -> tuple[Step, ...] | None:
    """The steps with these numbers; None where one divides by zero or comes to zero or less."""
    known = {name: Fraction(value) for name, value in numbers.items()}
    steps = []
    for name, a, sign, b in _STEP.findall(story.steps):
        one, two = (known[part] if part in known else Fraction(int(part)) for part in (a, b))
        if sign == "/" and two == 0:
            return None
        result = {"+": one + two, "-": one - two, "*": one * two, "/": one / (two or 1)}[sign]
        if result <= 0:
            return None
        steps.append(Step(one, sign, two, result))
        known[name] = result
    return tuple(steps)


def draw(story: Story, dice: random.Random) -> WordProblem:
    """One problem of a story."""
    bounds = re.findall(r"(\w+) (\d+)-(\d+)", story.numbers)
    for _ in range(_TRIES):
        numbers = {name: dice.randint(int(low), int(high)) for name, low, high in bounds}
        steps = solve(story, numbers)
        if steps is None or not _fits(story, steps):
            continue
        a, b = dice.sample(_PEOPLE, 2)
        text = story.text.format(A=a, B=b, **numbers)
        if str(steps[-1].result) in re.findall(r"\d+", text):
            continue
        return WordProblem(story, tuple(numbers.values()), text, steps)
    raise EvaluationError("a story has no numbers that come out", found=story.name)


def _fits(story: Story, steps: tuple[Step, ...]) -> bool:
    """Whether the numbers come out as people like them to."""
    if any(step.result.denominator != 1 for step in steps[:-1]):
        return False
    last = steps[-1].result
    if story.unit in ("dollars", "litres", "l", "km", "cm", "hours"):
        return last.denominator in (1, 2, 4)
    return last.denominator == 1


def wordproblems(seed: int) -> Iterator[Question]:
    """Problems without end, the stories by turns, each key once."""
    dice = random.Random(f"wordproblems|{seed}")
    seen: set[str] = set()
    while True:
        stories = list(STORIES)
        dice.shuffle(stories)
        for story in stories:
            problem = draw(story, dice)
            if problem.key not in seen:
                seen.add(problem.key)
                yield problem.to_question()
