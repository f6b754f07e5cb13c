r"""AIME, MATH-500 and GSM8K: a problem, and its answer as a number or as LaTeX. Pure.

- AIME: 30 problems a year, answers from 0 to 999. Files have `problem`, `question`, `Problem` or
  `prompt` (Qwen's own, with the words about the box in it), and `answer` or `Answer`.
- MATH-500: `problem`, `answer`, `unique_id`, `level` (H. Lightman et al., arXiv 2305.20050).
- GSM8K: `question`, and an `answer` that ends in `#### 72` (K. Cobbe et al., arXiv 2110.14168).
"""

from __future__ import annotations

import re

from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.public.prompts import math_prompt
from qwq_gguf.evaluation.suites.public.rows import Row

__all__ = ["aime_question", "gsm8k_question", "math500_question"]

_WHOLE = re.compile(r"[+-]?\d{1,30}")
_NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?")


def aime_question(row: Row, number: int) -> Question:
    """One problem of the AIME."""
    answer = row.text("answer", "Answer").strip().removesuffix(".0")
    if not _WHOLE.fullmatch(answer):
        row.refuse("has an answer that is no whole number", answer[:60])
    name = row.optional("id", "ID") or str(number)
    return Question(
        key=f"aime:{name}",
        skill="aime",
        text=math_prompt(row.text("problem", "question", "Problem", "prompt")),
        grader="number",
        expected={"value": str(int(answer))},
    )


def math500_question(row: Row, number: int) -> Question:
    """One problem of MATH-500, or of all of MATH in its form."""
    level = row.optional("level")
    return Question(
        key=f"math500:{row.optional('unique_id') or number}",
        skill=f"math500 level {level.removeprefix('Level ')}" if level else "math500",
        text=math_prompt(row.text("problem")),
        grader="math",
        expected={"answer": row.text("answer")},
    )


def gsm8k_question(row: Row, number: int) -> Question:
    """One problem of GSM8K."""
    *_, last = row.text("answer").split("####")
    value = last.strip().replace(",", "")
    if not _NUMBER.fullmatch(value):
        row.refuse("has an answer without a number behind ####", last.strip()[:60])
    return Question(
        key=f"gsm8k:{number}",
        skill="gsm8k",
        text=math_prompt(row.text("question")),
        grader="number",
        expected={"value": value},
    )
