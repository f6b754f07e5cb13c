"""Which questions are asked, in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from answer_corpus.doing import call_questions, code_questions, instruction_questions
from answer_corpus.mathematics import choice_questions, math_questions
from answer_corpus.numbers import number_questions
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites import load_suite
from qwq_gguf.evaluation.suites.puzzles import puzzles
from qwq_gguf.evaluation.suites.stories import STORIES
from qwq_gguf.evaluation.suites.wordproblems import FORM, wordproblems

__all__ = ["PARTS"]


_BRIEF = (
    "Answer in one short sentence.",
    "Give only the final answer in \\boxed{}, no explanation.",
    "Show one line of work at most.",
    "Only the answer, please.",
)


def briefly(questions: Sequence[Question]) -> list[Question]:
    """The same questions with a word that keeps the answers short, and keys of their own."""
    made = []
    for at, question in enumerate(questions):
        text = question.text.replace(FORM, "").replace(" Put the final answer in \\boxed{}.", "")
        text = text.replace(" Give only the number.", "")
        asked = f"{text} {_BRIEF[at % len(_BRIEF)]}"
        made.append(replace(question, key=f"brief.{question.key}", text=asked))
    return made


def word_problems() -> list[Question]:
    """One of each story."""
    return list(islice(wordproblems(5), len(STORIES)))


def brief_numbers() -> list[Question]:
    """Fractions, percentages, units and other sums than those of `number`."""
    return briefly(number_questions("brief numbers"))


def puzzle_questions() -> list[Question]:
    """A few of each kind that is not only a count of steps."""
    kinds = ("date", "decimals", "letters")
    return briefly([q for kind in kinds for q in islice(puzzles(kind, 5), 6)])


PARTS: dict[str, Callable[[], list[Question]]] = {
    "number": number_questions,
    "words": lambda: briefly(word_problems()),
    "math": lambda: briefly(math_questions()),
    "brief": brief_numbers,
    "puzzles": puzzle_questions,
    "skills": lambda: list(load_suite("skills", limit=10, seed=6)),
    "choice": choice_questions,
    "forms": lambda: choice_questions(first=1),
    "code": code_questions,
    "ifeval": instruction_questions,
    "bfcl": call_questions,
}
