"""A question of any suite, with what its grader compares the answer with. Pure.

A suite is a sequence of these. Whoever asks needs no more than this value: what is said to the
model, which tools it may call, and the grader's name with what that grader expects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Grade", "Question"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question that can be graded.

    `key` is unique in its suite and stays the same whatever the seed; replies are paired by it.
    `skill` is the group that figures are told by. `grader` names a function of
    evaluation/grading, and `expected` is the JSON value which that one takes. `tools` are names of
    built-in tools that the model may call; `functions` are JSON schemas of functions that are
    offered and never run (as BFCL asks).
    """

    key: str
    skill: str
    text: str
    grader: str
    expected: Any
    system: str | None = None
    tools: tuple[str, ...] = ()
    functions: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Grade:
    """What became of an answer: whether it is right, what was read out of it, and why it is wrong.

    `found` is the part of the answer that was graded, as text, or None where there was none.
    """

    right: bool
    found: str | None = None
    why: str | None = None
