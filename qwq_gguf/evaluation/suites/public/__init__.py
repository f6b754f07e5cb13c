"""Public tests from files that the user has: `gsm8k:test.jsonl`. No data comes along.

A format is a function from a row of its file to a question, with the prompt form that Qwen
publishes for its kind (`prompts.py`). docs/evaluate.md says where the files come from, and has a
command for each row of the published table.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.public.bfcl import bfcl_questions
from qwq_gguf.evaluation.suites.public.gpqa import gpqa_question
from qwq_gguf.evaluation.suites.public.ifeval import ifeval_question
from qwq_gguf.evaluation.suites.public.livecodebench import livecodebench_question, within
from qwq_gguf.evaluation.suites.public.mathematics import (
    aime_question,
    gsm8k_question,
    math500_question,
)
from qwq_gguf.evaluation.suites.public.rows import Row, read_rows
from qwq_gguf.files.reading import user_path

__all__ = ["FORMATS", "public_suite", "split_name"]

Reader: TypeAlias = Callable[[Row, int], Question]

_MAKERS: Mapping[str, Reader] = {
    "aime": aime_question,
    "math500": math500_question,
    "gsm8k": gsm8k_question,
    "gpqa": gpqa_question,
    "livecodebench": livecodebench_question,
    "ifeval": ifeval_question,
}
FORMATS: tuple[str, ...] = (*_MAKERS, "bfcl")
"""What may stand before the colon of `FORMAT:FILE`."""


def split_name(name: str) -> tuple[str, str, Path] | None:
    """Format, window of dates (or "") and file of `FORMAT:FILE`, `FORMAT@FROM..TO:FILE`.

    None for any other name.
    """
    kind, colon, file = name.partition(":")
    kind, _, window = kind.partition("@")
    return (kind, window, user_path(file)) if colon and file and kind in FORMATS else None


def public_suite(name: str, *, limit: int | None = None, seed: int = 0) -> tuple[Question, ...]:
    """The questions of `FORMAT:FILE`; with a `limit` so many of each skill, drawn by the seed.

    EvaluationError for a file that cannot be read, is too large, or has a row that is none of
    its format: it names the row.
    """
    found = split_name(name)
    if found is None:
        raise EvaluationError(
            "no such format", found=name[:100], expected=", ".join(f"{f}:FILE" for f in FORMATS)
        )
    kind, window, path = found
    if window and kind != "livecodebench":
        raise EvaluationError("only livecodebench has dates", found=name[:100])
    rows = read_rows(path)
    if kind == "bfcl":
        questions = bfcl_questions(rows, path)
    else:
        kept = within(rows, window) if window else rows
        questions = (_MAKERS[kind](row, row.number) for row in kept)
    suite = _distinct(questions, path)
    if not suite:
        raise EvaluationError("has no questions", path=path, found=window or None)
    return suite if limit is None else _drawn(suite, limit, seed)


def _distinct(questions: Iterable[Question], path: Path) -> tuple[Question, ...]:
    seen: dict[str, Question] = {}
    for question in questions:
        if question.key in seen:
            raise EvaluationError("has two questions of one name", path=path, found=question.key)
        seen[question.key] = question
    return tuple(seen.values())


def _drawn(suite: tuple[Question, ...], limit: int, seed: int) -> tuple[Question, ...]:
    """So many of each skill, in the order of the file."""
    order = list(range(len(suite)))
    random.Random(f"public|{seed}").shuffle(order)
    taken: Counter[str] = Counter()
    chosen = set()
    for place in order:
        skill = suite[place].skill
        if taken[skill] < limit:
            taken[skill] += 1
            chosen.add(place)
    return tuple(question for place, question in enumerate(suite) if place in chosen)
