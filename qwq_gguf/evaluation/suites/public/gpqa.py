"""GPQA: four options, one of them right; a CSV (D. Rein et al., arXiv 2311.12022). Pure."""

from __future__ import annotations

import hashlib
import random

from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.public.prompts import choice_prompt
from qwq_gguf.evaluation.suites.public.rows import Row

__all__ = ["gpqa_question"]

_WRONG = ("Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
_LETTERS = "ABCD"


def gpqa_question(row: Row, number: int) -> Question:
    """One question. The order of its options follows from its text, so it is always the same."""
    text = row.text("Question").strip()
    right = row.text("Correct Answer").strip()
    options = [right, *(row.text(name).strip() for name in _WRONG)]
    digest = hashlib.sha256(f"{text}|{right}".encode("utf-8", "surrogatepass")).digest()
    order = list(range(len(options)))
    random.Random(digest).shuffle(order)
    by_letter = {letter: options[place] for letter, place in zip(_LETTERS, order, strict=True)}
    return Question(
        key=f"gpqa:{row.optional('Record ID') or number}",
        skill="gpqa",
        text=choice_prompt(text, by_letter),
        grader="choice",
        expected={"letter": _LETTERS[order.index(0)], "options": by_letter},
    )
