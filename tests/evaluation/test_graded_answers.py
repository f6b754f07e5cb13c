"""The graders against answers of real models, labelled by reading them.

tests/data/graded_answers.jsonl: its first line says which models, how they were asked, and what
became of the labels; each further one is a question, an answer and whether a person calls it right.
"""

from __future__ import annotations

import json
import platform
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.questions import Question

FILE = Path(__file__).parents[1] / "data" / "graded_answers.jsonl"
HEADER, *ANSWERS = map(json.loads, FILE.read_text("utf-8").splitlines())


def question_of(fields: dict[str, Any]) -> Question:
    lists: dict[str, Any] = {
        name: tuple(fields[name]) for name in ("tools", "functions") if name in fields
    }
    return Question(**(fields | lists))


def test_the_answers_are_of_real_models_and_many_kinds() -> None:
    assert len(ANSWERS) == HEADER["answers"]
    assert {answer["model"] for answer in ANSWERS} == set(HEADER["models"])
    kinds = Counter(answer["question"]["grader"] for answer in ANSWERS)
    assert kinds.keys() >= {"number", "math", "choice", "code", "ifeval", "bfcl"}
    right = sum(answer["right"] for answer in ANSWERS)
    assert 0.2 < right / len(ANSWERS) < 0.8, "graders that always say the same would agree"
    assert FILE.stat().st_size < 600_000


@pytest.mark.skipif(platform.system() != "Linux", reason="code is run where it can be confined")
def test_graders_say_what_a_person_says_of_99_in_100() -> None:
    pytest.importorskip("sympy")
    wrong = []
    for answer in ANSWERS:
        calls = [ToolCall(call["name"], call["arguments"]) for call in answer.get("calls", [])]
        given = grade(question_of(answer["question"]), answer["answer"], calls)
        if given.right is not answer["right"]:
            wrong.append((answer["model"], answer["question"]["key"], answer["right"], given))
    assert len(wrong) <= len(ANSWERS) // 100, wrong
