"""Is an answer right? Only what stands after the thought counts.

What is boxed counts, if anything is: the demo model boxes its answers, and so do models that
were trained on mathematics. Other models say "4341 + 1129 = 5470", and mean it.
"""

from __future__ import annotations

import re
from fractions import Fraction

from qwq_gguf.evaluation.problems import Problem
from qwq_gguf.evaluation.stated import stated_choice, stated_count, stated_number

__all__ = ["boxed", "is_right"]

_MAX_ANSWER = 100_000
_MAX_STATED = 20_000  # characters at the end in which an answer that is not boxed is looked for
_BRACE = re.compile(r"[{}]")
_NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})")
_THOUGHT_ENDS = re.compile(r"</(?:think|thinking|thought)>")
_THOUGHT_BEGINS = re.compile(r"<(?:think|thinking|thought)>")


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
    text = text.replace("{,}", "").replace(",", "").replace("\\!", "").replace("$", "").strip()
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def is_right(problem: Problem, answer: str) -> bool:
    """Whether `answer` (the text after the thought) gives the problem's value.

    That is what its last box holds, or without one the last result that it states. Numbers
    compare by value: 1,234 is 1234 and 9.90 is 9.9.
    """
    answer = _THOUGHT_BEGINS.split(_THOUGHT_ENDS.split(answer[-_MAX_ANSWER:])[-1])[0]
    given = boxed(answer)
    if given == problem.answer:
        return True
    wanted = _value(problem.answer)
    if wanted is None:
        return False
    if given is not None and (got := _value(given)) is not None:
        return wanted == got
    return wanted == _stated(problem, (answer if given is None else given)[-_MAX_STATED:])


def _stated(problem: Problem, answer: str) -> Fraction | None:
    match problem.skill:
        case "compare":
            return stated_choice(answer, problem.operands)
        case "letters":
            return stated_count(answer, problem.operands[1])
    return stated_number(answer, problem.question)
