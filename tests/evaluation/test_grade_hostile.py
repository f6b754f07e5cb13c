"""Answers that are long and odd take no grader long: patterns with a square in them would."""

from __future__ import annotations

import time
from typing import Any

import pytest

from qwq_gguf.evaluation.grading import grade
from qwq_gguf.evaluation.grading.code import code_in
from qwq_gguf.evaluation.questions import Question

PIECES = (
    *("9 ", "1/2 ", "-", "- 9", "**", "{", "\\frac{1}{2}", "\\boxed{", "is ", "answer is ", "A) "),
    *(
        "?",
        "\n1. ",
        " ",
        "\n",
        "$x$ ",
        "\\( x \\) ",
        "= ",
        "```\n",
        "<<",
        "[",
        '"',
        "P.S. ",
        "A is ",
    ),
    *("2 hours and ", "5% ", "a.", "^2", "\u2044", "or ", "```python\n", '{"answer": '),
)
INSTRUCTIONS = [
    {"id": "length_constraints:number_sentences", "kwargs": {"num_sentences": 3}},
    {"id": "detectable_content:postscript", "kwargs": {"postscript_marker": "P.S."}},
    {"id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": 3}},
    {"id": "detectable_format:number_highlighted_sections", "kwargs": {"num_highlights": 9}},
    {"id": "detectable_format:title", "kwargs": {}},
    {"id": "detectable_format:json_format", "kwargs": {}},
    {"id": "combination:two_responses", "kwargs": {}},
]
CASES: tuple[tuple[str, Any], ...] = (
    ("number", {"value": "1/3", "unit": "minutes"}),
    ("number", {"value": "9.9", "choose": ["9.9", "9.11", "larger"]}),
    ("choice", {"letter": "C", "options": {"A": "x", "B": "y", "C": "z w"}}),
    ("text", {"answer": "Monday"}),
    ("math", {"answer": r"\{2, 3\}"}),
    ("ifeval", {"instructions": INSTRUCTIONS, "loose": True}),
)


@pytest.mark.parametrize(("grader", "expected"), CASES, ids=lambda case: str(case)[:20])
def test_any_answer_is_graded_at_once(grader: str, expected: Any) -> None:
    if grader == "math":
        pytest.importorskip("sympy")
    text = "Which is the largest of x, y and z w?"
    question = Question(key="k", skill="s", text=text, grader=grader, expected=expected)
    for piece in PIECES:
        began = time.process_time()
        grade(question, piece * (10_000 // len(piece)))
        assert time.process_time() - began < 1.5, piece


def test_code_is_found_at_once() -> None:
    for piece in PIECES:
        began = time.process_time()
        code_in(piece * (10_000 // len(piece)))
        assert time.process_time() - began < 1.5, piece
