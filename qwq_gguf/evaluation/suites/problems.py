"""A problem of a skill, and which problems no training may see.

A problem's `key` names its skill and content whatever its wording (``multiply:7*43``). A hash
of the key puts it on one side of the split, whatever the seed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from qwq_gguf.evaluation.questions import Question

__all__ = ["SHOWCASE", "SKILLS", "Problem", "is_held_out"]

SKILLS = ("multiply", "add", "subtract", "compare", "letters", "calculator")


@dataclass(frozen=True, slots=True)
class Problem:
    """One question with one right answer.

    `operands` are what the question is about, in its own order: two integers as text, two
    decimals and "larger" or "smaller", a word and a letter, or an expression.
    `answer` is the text expected in the box. `tools` names the tools the system turn offers.
    """

    skill: str
    question: str
    answer: str
    operands: tuple[str, ...]
    key: str
    tools: tuple[str, ...] = ()

    def to_question(self) -> Question:
        """As any suite's question. It is asked as it is, without a word about the answer's form:
        the demo model was trained on such questions.
        """
        expected: dict[str, Any] = {"value": self.answer}
        if self.skill == "compare":
            expected["choose"] = list(self.operands)
        elif self.skill == "letters":
            expected["letter"] = self.operands[1]
        return Question(
            key=self.key,
            skill=self.skill,
            text=self.question,
            grader="number",
            expected=expected,
            tools=self.tools,
        )


# Asked in the README and the demo, so no question of the training. The shipped weights did
# meet 7*43 as a line of longer products: this suite shows, it does not measure.
SHOWCASE = (
    Problem("multiply", "What is 7*43?", "301", ("7", "43"), "multiply:7*43"),
    Problem(
        "compare",
        "Which is larger, 9.9 or 9.11?",
        "9.9",
        ("9.9", "9.11", "larger"),
        "compare:9.11,9.9",
    ),
    Problem(
        "letters",
        'How many r\'s are in "strawberry"?',
        "3",
        ("strawberry", "r"),
        "letters:strawberry",
    ),
    Problem(
        "calculator",
        "What is 3394*35979?",
        "122112726",
        ("3394*35979",),
        "calculator:3394*35979",
        ("calculator",),
    ),
)
_SHOWCASE_KEYS = frozenset(problem.key for problem in SHOWCASE)


def is_held_out(key: str) -> bool:
    """Whether a problem belongs to the measuring side: one in eight, and the showcase."""
    digest = hashlib.sha256(f"held out|{key}".encode()).digest()
    return key in _SHOWCASE_KEYS or digest[0] < 32
