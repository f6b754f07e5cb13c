"""Is a boxed answer right? Only what stands after the thought counts."""

from __future__ import annotations

import re
from fractions import Fraction

from qwq_gguf.evaluate.problems import Problem

__all__ = ["boxed", "is_right"]

_MAX_ANSWER = 100_000
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})")


def boxed(text: str) -> str | None:
    r"""The content of the last complete ``\boxed{...}`` in `text`, or None.

    Braces inside the box are balanced, so ``\boxed{\frac{1}{2}}`` comes out whole.
    """
    text = text[-_MAX_ANSWER:]
    start = text.rfind("\\boxed{")
    while start != -1:
        depth = 0
        for at in range(start + len("\\boxed"), len(text)):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if depth == 0:
                return text[start + len("\\boxed{") : at].strip()
        start = text.rfind("\\boxed{", 0, start)
    return None


def _value(text: str) -> Fraction | None:
    plain = text.replace(",", "").replace("\\!", "").replace("$", "").strip()
    return Fraction(plain) if _NUMBER.fullmatch(plain) else None


def is_right(problem: Problem, answer: str) -> bool:
    """Whether `answer` (the text after the thought) boxes the problem's value.

    Numbers compare by value: 1,234 is 1234 and 9.90 is 9.9.
    """
    given = boxed(answer)
    if given is None:
        return False
    wanted, got = _value(problem.answer), _value(given)
    if wanted is None or got is None:
        return given == problem.answer
    return wanted == got
