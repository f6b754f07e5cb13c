r"""The grader `math`: is the formula of an answer equal to the one that is expected?

What is boxed counts, all boxes where several values are wanted; without a box, what the answer
calls its answer, or else its last formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from qwq_gguf.evaluation.grading.answer import boxes
from qwq_gguf.evaluation.grading.math_equal import same
from qwq_gguf.evaluation.grading.math_terms import Tree
from qwq_gguf.evaluation.grading.math_tree import Unreadable, parse
from qwq_gguf.evaluation.grading.texts import grade_text
from qwq_gguf.evaluation.questions import Grade

__all__ = ["grade_math"]

_FORMULA = re.compile(
    r"\$\$(.{1,2000}?)\$\$|\$([^$\n]{1,500})\$|\\\((.{1,1000}?)\\\)|\\\[(.{1,2000}?)\\\]", re.S
)
_ANSWER = re.compile(
    r"\b(?:final |correct |simplified )?(?:answer|solutions?|result|form|expression)\b"
    r"[^.:\n$\\]{0,80}?(?: is| are|:)\s*:?",
    re.I,
)
_IS = re.compile(r"\b(?:is|are|equals|to|as|get|gives)\b:?\s*|(?<![<>=!])=(?!=)\s*")
_UNIT = re.compile(r"(?<=[\d)}\s])\s*(?:[a-zA-Z]{2,}[a-zA-Z ]{0,40}|[cmk]?m\^?[23]?)[.\s]*$")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]{1,40})\}\{([^{}]{1,40})\}")
_SYMBOL = re.compile(r"\s*(?:[a-zA-Z]|\\[a-zA-Z]+)\s*")
_MARKUP = re.compile(r"\*\*|__|`{1,3}(?:\w+\n)?")
_LAST = 3_000
_MOST_TRIED = 12


def grade_math(expected: dict[str, Any], answer: str, question: str = "") -> Grade:
    """Compare the formula in `answer` with ``expected["answer"]``.

    One that cannot be read as a formula is compared as a text. EvaluationError without sympy.
    """
    try:
        wanted = parse(expected["answer"])
    except Unreadable:  # a name, a time of day: words that are right or not
        return grade_text(expected, answer)
    ordered = expected.get("ordered")
    boxed = boxes(answer)
    several = wanted[0] in ("set", "list") and len(boxed) > 1
    if several:
        texts: list[str] = [", ".join(boxed), boxed[-1]]
    elif boxed:
        texts = [boxed[-1]]
    else:
        texts = list(_stated(answer[-_LAST:], several=wanted[0] in ("set", "list", "tuple")))
    first: str | None = None
    if not boxed:
        texts = [text for text in texts if not _is_said_again(text, question)]
    for text in texts[:_MOST_TRIED]:
        for tree in _readings(text):
            first = text if first is None else first
            if same(tree, wanted, ordered=ordered):
                return Grade(True, text)
        if first is not None and not several:
            break  # what it says last is what it says
    if first is None:
        return Grade(False, texts[0] if texts else None, "no formula is to be read")
    return Grade(False, first, f"not {expected['answer']}")


def _is_said_again(text: str, question: str) -> bool:
    """Whether a formula is one of the question's."""
    said, asked = (
        re.sub(r"[\s$]|\\[()\[\] ]", "", _FRACTION.sub(r"\1/\2", each))
        for each in (_last_side(text), question)
    )
    return len(said) > 1 and re.search(rf"(?<![\d.]){re.escape(said)}(?![\d.])", asked) is not None


def _readings(text: str) -> Iterator[Tree]:
    """The trees that a text may mean: as it is, and without a unit behind it."""
    for said in dict.fromkeys((text, _UNIT.sub("", text))):
        try:
            yield parse(said)
        except Unreadable:
            continue


def _stated(answer: str, *, several: bool) -> Iterator[str]:
    """What an answer without a box may mean, the likeliest first."""
    text = _MARKUP.sub("", answer).strip()
    formulas = list(_FORMULA.finditer(text))
    telling = [f for f in formulas if not _SYMBOL.fullmatch(next(filter(None, f.groups())))]
    formulas = telling or formulas  # "where C is a constant" is no answer
    marks = list(_ANSWER.finditer(text))
    if marks:
        after = text[marks[-1].end() :].strip()
        inside = _FORMULA.match(after)
        if inside is not None and not several:
            yield _last_side(next(filter(None, inside.groups())))
        yield from _of_line(after.split("\n")[0])
    if formulas and several:
        line = text[text.rfind("\n", 0, formulas[-1].start()) + 1 : formulas[-1].end()]
        yield ", ".join(next(filter(None, said.groups())) for said in _FORMULA.finditer(line))
    if formulas:
        said = formulas[-1]
        yield _last_side(next(filter(None, said.groups())))
    for line in reversed(text.splitlines()[-6:]):
        if line.strip():
            yield from _of_line(line)


def _of_line(line: str) -> Iterator[str]:
    """The end of a line, from each "is" or equals sign on, and all of it."""
    line = line.strip().rstrip(".")
    starts = [found.end() for found in _IS.finditer(line)]
    yield line
    for start in reversed(starts[-_MOST_TRIED:]):
        yield line[start:]


def _last_side(formula: str) -> str:
    """What a chain of equations comes to; an equation of a symbol stays whole."""
    sides = re.split(r"(?<![<>=!])&?=(?!=)", formula)
    return formula if len(sides) <= 2 else sides[-1]
