"""Which replies are to be asked for, in which order and with which dice. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.asking.sample import Cell, ReplyKey
from qwq_gguf.evaluation.questions import Question

__all__ = ["Wanted", "cells_of", "joined_suites", "plan_replies", "sample_seed"]

_SEEDS = 2**32 - 1  # llama.cpp takes its largest seed for "any"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reply to be asked for: the `sample`-th of a cell to a question."""

    cell: Cell
    question: Question
    sample: int
    seed: int

    @property
    def reply_key(self) -> ReplyKey:
        """Which reply it will be."""
        return ReplyKey(self.cell, self.question.key, self.sample)


def sample_seed(seed: int, key: str, number: int) -> int:
    """The seed of the n-th sample of a question.

    It depends on the run's seed and the question alone, so that models, profiles and governors
    are compared on the same dice, and a suite's limit moves no sample.
    """
    digest = hashlib.sha256(f"{seed}|{number}|{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % _SEEDS


def cells_of(
    models: Sequence[str], profiles: Sequence[str], governors: Sequence[str]
) -> tuple[Cell, ...]:
    """Every model under every profile with every governor; the first is what others differ from."""
    return tuple(Cell(*each) for each in product(models, profiles, governors))


def joined_suites(suites: Sequence[Sequence[Question]]) -> tuple[Question, ...]:
    """The questions of several suites as one. EvaluationError where two have a key in common."""
    questions: dict[str, Question] = {}
    for suite in suites:
        for question in suite:
            if question.key in questions:
                raise EvaluationError(
                    "two questions have the same key",
                    found=question.key,
                    hint="name each suite once; skills has all the skills in it",
                )
            questions[question.key] = question
    return tuple(questions.values())


def plan_replies(
    cells: Sequence[Cell],
    questions: Sequence[Question],
    *,
    samples: int,
    seed: int,
) -> tuple[Wanted, ...]:
    """All replies: model by model, as one is loaded at a time, then question by question, so that
    a run that is cut short has the same questions of every cell, and that prompts which are alike
    follow one another.
    """
    by_model: dict[str, list[Cell]] = {}
    for cell in cells:
        by_model.setdefault(cell.model, []).append(cell)
    return tuple(
        Wanted(cell, question, number, sample_seed(seed, question.key, number))
        for group in by_model.values()
        for question in questions
        for number in range(samples)
        for cell in group
    )
