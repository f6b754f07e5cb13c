"""Suites: named questions that can be graded, the same from the same seed on every machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.files import read_questions
from qwq_gguf.evaluation.suites.public import public_suite, split_name
from qwq_gguf.evaluation.suites.puzzles import PUZZLES, puzzles
from qwq_gguf.evaluation.suites.skills import SKILL_SUITES, suite
from qwq_gguf.evaluation.suites.tool_questions import TOOL_QUESTIONS, tool_questions
from qwq_gguf.evaluation.suites.wordproblems import wordproblems

__all__ = ["load_suite", "suite_names"]

_USUAL = 100  # questions of a skill

_DRAWN: dict[str, tuple[Callable[[int], Iterator[Question]], ...]] = {
    "wordproblems": (wordproblems,),
    "puzzles": tuple(partial(puzzles, kind) for kind in PUZZLES),
    "tools": tuple(partial(tool_questions, kind) for kind in TOOL_QUESTIONS),
}


def suite_names() -> tuple[str, ...]:
    """The names `load_suite` knows, apart from files."""
    return (*SKILL_SUITES, *_DRAWN)


def load_suite(
    name_or_path: str, *, limit: int | None = None, seed: int = 0
) -> tuple[Question, ...]:
    """The questions of a suite, or of a file FILE.jsonl.

    `limit` is the number of questions of each skill (100 unless given; of a file: all), and the
    first ones are the same whatever it is. EvaluationError for a name that is not in
    `suite_names()`, for more questions than there are, and for a file that cannot be read.
    """
    if split_name(name_or_path) is not None:  # gsm8k:x.jsonl ends in .jsonl, too
        return public_suite(name_or_path, limit=limit, seed=seed)
    if name_or_path in SKILL_SUITES:
        return tuple(q.to_question() for q in suite(name_or_path, limit=limit, seed=seed))
    if name_or_path in _DRAWN:
        most = _USUAL if limit is None else limit
        found: list[Question] = []
        for kind in _DRAWN[name_or_path]:
            drawn = list(islice(kind(seed), most))
            if len(drawn) < most:
                raise EvaluationError(
                    f"{name_or_path} has no more such questions",
                    found=len(drawn),
                    hint="a lower --limit",
                )
            found += drawn
        return tuple(found)
    if name_or_path.endswith(".jsonl"):
        return _limited(read_questions(Path(name_or_path)), limit)
    raise EvaluationError(
        "no such suite",
        found=name_or_path,
        expected=f"{', '.join(suite_names())}, or a file FILE.jsonl",
        hint="--suite skills",
    )


def _limited(questions: tuple[Question, ...], limit: int | None) -> tuple[Question, ...]:
    """The first `limit` questions of each skill."""
    if limit is None:
        return questions
    counts: dict[str, int] = {}
    kept = []
    for question in questions:
        counts[question.skill] = counts.get(question.skill, 0) + 1
        if counts[question.skill] <= limit:
            kept.append(question)
    return tuple(kept)
