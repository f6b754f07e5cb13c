"""Questions in a file of JSON lines, one each; docs/grading.md says what may stand in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading import GRADERS
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.files.reading import read_given
from qwq_gguf.json_text import parse_json, to_json
from qwq_gguf.words import clean

__all__ = ["as_line", "read_questions"]

_MOST_BYTES = 256 << 20
_MOST_LINE = 4 << 20
_TEXTS = ("key", "skill", "text", "grader")
_OTHERS = ("expected", "system", "tools", "functions")


def as_line(question: Question) -> str:
    """A question as a line of such a file."""
    fields = {name: getattr(question, name) for name in (*_TEXTS, *_OTHERS)}
    return to_json({name: value for name, value in fields.items() if value not in (None, ())})


def read_questions(path: Path) -> tuple[Question, ...]:
    """The questions of a file in their order. EvaluationError says which line is none."""
    try:
        content = read_given(path, _MOST_BYTES + 1)
    except OSError as error:
        raise EvaluationError(
            "this file of questions cannot be read", path=path, found=error.strerror or str(error)
        ) from None
    if len(content) > _MOST_BYTES:
        raise EvaluationError(
            "a file of questions is too long", path=path, expected=f"{_MOST_BYTES >> 20} MB at most"
        )
    questions: list[Question] = []
    keys: set[str] = set()
    for number, line in enumerate(content.splitlines(), start=1):
        if not line.strip():
            continue
        question = _question(line, path, number)
        if question.key in keys:
            raise _refused(path, number, f"the key {clean(question.key)[:80]} again")
        keys.add(question.key)
        questions.append(question)
    if not questions:
        raise EvaluationError("there is no question in this file", path=path)
    return tuple(questions)


def _question(line: bytes, path: Path, number: int) -> Question:
    if len(line) > _MOST_LINE:
        raise _refused(path, number, f"{len(line)} bytes")
    try:
        value: Any = parse_json(line)
    except ValueError as error:
        raise _refused(path, number, str(error)) from None
    if not isinstance(value, dict):
        raise _refused(path, number, "no object")
    value.setdefault("skill", "questions")
    for name in _TEXTS:
        if not isinstance(value.get(name), str) or not value[name].strip():
            raise _refused(path, number, f"{name} is missing, or no text")
    unknown = sorted(value.keys() - {*_TEXTS, *_OTHERS})
    if unknown:
        raise _refused(path, number, f"{clean(', '.join(unknown))[:80]}, which nothing reads")
    if value["grader"] not in GRADERS:
        raise _refused(path, number, f"the grader {clean(value['grader'])[:40]}")
    if not isinstance(value.get("expected"), dict):
        raise _refused(path, number, "expected is missing, or no object")
    system, tools, functions = (value.get(name) for name in _OTHERS[1:])
    if system is not None and not isinstance(system, str):
        raise _refused(path, number, "system is no text")
    if not _all(tools, str) or not _all(functions, dict):
        raise _refused(path, number, "tools are names, functions are objects, both in lists")
    texts = {name: value[name] for name in _TEXTS}
    return Question(
        **texts,
        expected=value["expected"],
        system=system,
        tools=tuple(tools or ()),
        functions=tuple(functions or ()),
    )


def _all(values: Any, kind: type) -> bool:
    return values is None or (
        isinstance(values, list) and all(isinstance(value, kind) for value in values)
    )


def _refused(path: Path, number: int, found: str) -> EvaluationError:
    return EvaluationError(
        f"line {number} is no question",
        path=path,
        found=found,
        expected='{"key": ..., "text": ..., "grader": ..., "expected": {...}} (docs/grading.md)',
    )
