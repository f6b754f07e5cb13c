"""The graders `text` and `regex`: what an answer says, word for word or by a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading.answer import boxed
from qwq_gguf.evaluation.grading.child import ask_child
from qwq_gguf.evaluation.grading.normal import normal, words
from qwq_gguf.evaluation.questions import Grade

__all__ = ["grade_regex", "grade_text"]

_MOST_PATTERN = 4_000
_MOST_SEARCHED = 20_000
_ANSWER = re.compile(r"\b(?:answer|result|solution|output)\b[^.:\n]{0,60}?(?::| is)\s*", re.I)
_ARTICLE = re.compile(r"^(?:(?:it is|it's|that is|so|the|a|an|on) )+")


def grade_text(expected: dict[str, Any], answer: str) -> Grade:
    """Compare what `answer` gives with ``expected["answer"]``, or one of several."""
    wanted = expected["answer"]
    right = {normal(text) for text in ([wanted] if isinstance(wanted, str) else wanted)}
    if expected.get("contains"):
        said = words(answer)
        inside = any(words(text) in said for text in right)
        return Grade(inside, None, None if inside else "it does not stand in the answer")
    first = None
    for text in _candidates(answer):
        found = normal(text)
        first = first or found
        if found in right or _ARTICLE.sub("", found) in right:
            return Grade(True, found)
    return Grade(False, first, f"not {wanted}")


def _candidates(answer: str) -> Iterator[str]:
    given = boxed(answer)
    if given is not None:
        yield given
        return
    yield answer
    marks = list(_ANSWER.finditer(answer))
    if marks:
        yield answer[marks[-1].end() :]
        yield re.split(r"\n|\.\s", answer[marks[-1].end() :].strip(), maxsplit=1)[0]
    lines = [line for line in answer.splitlines() if line.strip()]
    if lines:
        yield lines[-1]
        bold = re.findall(r"\*\*([^*\n]{1,200})\*\*", lines[-1])
        yield from reversed(bold)


def grade_regex(expected: dict[str, Any], answer: str) -> Grade:
    """Look for ``expected["pattern"]`` in the end of `answer`, in a child that can be ended.

    EvaluationError for a pattern that is none, or takes too long.
    """
    pattern = expected["pattern"]
    if len(pattern) > _MOST_PATTERN:
        raise EvaluationError(
            "a pattern is too long", found=len(pattern), expected=f"{_MOST_PATTERN} characters"
        )
    told = ask_child(
        {
            "do": "search",
            "pattern": pattern,
            "text": answer[-_MOST_SEARCHED:],
            "whole": bool(expected.get("whole")),
        }
    )
    if told is None or "failed" in told:
        return Grade(False, None, "the pattern took too long over this answer")
    if told.get("error"):
        raise EvaluationError(
            "a pattern cannot be read", found=pattern[:80], expected=told["error"]
        )
    found = told["found"]
    return Grade(found is not None, found, None if found is not None else "the pattern is not met")
