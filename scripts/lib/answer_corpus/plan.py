"""Which questions are asked, in parts."""

from __future__ import annotations

from collections.abc import Callable

from answer_corpus.doing import call_questions, code_questions, instruction_questions
from answer_corpus.mathematics import choice_questions, math_questions
from answer_corpus.numbers import number_questions
from qwq_gguf.evaluation.questions import Question

__all__ = ["PARTS"]

PARTS: dict[str, Callable[[], list[Question]]] = {
    "number": number_questions,
    "math": math_questions,
    "choice": choice_questions,
    "code": code_questions,
    "ifeval": instruction_questions,
    "bfcl": call_questions,
}
