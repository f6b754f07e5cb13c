"""Which questions are asked, in parts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from answer_corpus.doing import call_questions, code_questions, instruction_questions
from answer_corpus.mathematics import choice_questions, math_questions
from answer_corpus.numbers import number_questions
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.stories import STORIES
from qwq_gguf.evaluation.suites.wordproblems import wordproblems

__all__ = ["PARTS"]


def word_problems() -> list[Question]:
    """One of each story."""
    return list(islice(wordproblems(5), len(STORIES)))


PARTS: dict[str, Callable[[], list[Question]]] = {
    "number": number_questions,
    "words": word_problems,
    "math": math_questions,
    "choice": choice_questions,
    "code": code_questions,
    "ifeval": instruction_questions,
    "bfcl": call_questions,
}
