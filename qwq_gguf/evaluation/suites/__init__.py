"""Suites: named questions that can be graded, the same from the same seed on every machine."""

from __future__ import annotations

from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.public import public_suite, split_name
from qwq_gguf.evaluation.suites.skills import SKILL_SUITES, suite

__all__ = ["load_suite", "suite_names"]


def suite_names() -> tuple[str, ...]:
    """The names `load_suite` knows, apart from files."""
    return SKILL_SUITES


def load_suite(
    name_or_path: str, *, limit: int | None = None, seed: int = 0
) -> tuple[Question, ...]:
    """The questions of a suite. `limit` is the number of questions a skill.

    EvaluationError for a name that is not in `suite_names()`.
    """
    if split_name(name_or_path) is not None:
        return public_suite(name_or_path, limit=limit, seed=seed)
    return tuple(problem.to_question() for problem in suite(name_or_path, limit=limit, seed=seed))
