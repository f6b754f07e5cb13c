"""Is a boxed answer right? Only what stands after the thought counts."""

from __future__ import annotations

import re
from fractions import Fraction

from qwq_gguf.evaluate.problems import Problem

__all__ = ["boxed", "is_right"]

_MAX_ANSWER = 100_000
_BRACE = re.compile(r"[{}]")
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})")


def boxed(text: str) -> str | None:
    r"""The content of the last complete ``\boxed{...}`` in `text`, or None.

    Braces inside the box are balanced, so ``\boxed{\frac{1}{2}}`` comes out whole.
    """
    text = text[-_MAX_ANSWER:]
    best: tuple[int, int] | None = None
    opened: list[int] = []  # where each brace that is still open stands
    for match in _BRACE.finditer(text):
        at = match.end() - 1
        if text[at] == "{":
            opened.append(at)
        elif opened:
            start = opened.pop()
            if text.endswith("\\boxed", 0, start) and (best is None or start > best[0]):
                best = (start, at)
    return None if best is None else text[best[0] + 1 : best[1]].strip()


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
