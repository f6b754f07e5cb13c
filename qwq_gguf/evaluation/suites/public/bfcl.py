"""BFCL v3: which functions are called with what. Questions in one file, answers in another. Pure,
but for reading the answers.

A row has `id` ("parallel_multiple_3"), `question` (turns, each a list of messages) and `function`
(schemas, with Python's names for types). The answers lie in `possible_answer/` beside the file,
under its name: `ground_truth` is a list of `{name: {argument: [possible values]}}`. Where nothing
is to be called (irrelevance) there are none. One turn each; what runs calls, Java and JavaScript
are refused.
https://github.com/ShishirPatil/gorilla/tree/main/berkeley-function-call-leaderboard
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.public.rows import Row, read_rows

__all__ = ["bfcl_questions"]

_REFUSED = ("exec_", "multi_turn", "java", "live_relevance", "rest", "sql")
_TYPES = {"dict": "object", "float": "number", "tuple": "array", "list": "array", "str": "string"}
_DEEPEST = 20
_NUMBERS = re.compile(r"[_\d-]+$")


def bfcl_questions(rows: Iterable[Row], path: Path) -> Iterator[Question]:
    """The questions of a file of questions."""
    answers: Mapping[str, Any] | None = None
    for row in rows:
        name = row.text("id")
        category = _NUMBERS.sub("", name)
        if category.startswith(_REFUSED):
            row.refuse("is of a kind that is not read", category)
        if "irrelevance" in category:
            expected: list[Any] = []
        else:
            answers = _answers(path) if answers is None else answers
            if name not in answers:
                row.refuse("has no answer", name)
            expected = answers[name]
        system, text = _messages(row)
        yield Question(
            key=f"bfcl:{name}",
            skill=f"bfcl {category}",
            text=text,
            grader="bfcl",
            expected={"calls": expected, "parallel": "parallel" in category},
            system=system,
            functions=tuple(_function(each, row) for each in row.items("function")),
        )


def _answers(path: Path) -> dict[str, list[Any]]:
    place = path.parent / "possible_answer" / path.name
    if not place.is_file():
        raise EvaluationError("has no answers beside it", path=path, expected=f"them in {place}")
    return {row.text("id"): row.items("ground_truth") for row in read_rows(place)}


def _messages(row: Row) -> tuple[str | None, str]:
    turns = row.items("question")
    if len(turns) != 1 or not isinstance(turns[0], list):
        row.refuse("has not one turn", f"{len(turns)} of them")
    said: dict[str, list[str]] = {"system": [], "user": []}
    for message in turns[0]:
        role = message.get("role") if isinstance(message, Mapping) else None
        if role not in said or not isinstance(message.get("content"), str):
            row.refuse("has a message that is neither a user's nor a system prompt")
        said[role].append(message["content"])
    if not said["user"]:
        row.refuse("has no question")
    return "\n\n".join(said["system"]) or None, "\n\n".join(said["user"])


def _function(raw: object, row: Row) -> dict[str, Any]:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str):
        row.refuse("has a function without a name")
    parameters = _schema(raw.get("parameters", {}), row)
    return {
        "name": raw["name"],
        "description": str(raw.get("description", "")),
        "parameters": parameters if isinstance(parameters, dict) else {},
    }


def _schema(value: Any, row: Row, depth: int = 0) -> Any:
    """A schema with JSON's names for types; "any" is no type."""
    if depth > _DEEPEST:
        row.refuse("has a schema that is nested too deeply")
    if isinstance(value, list):
        return [_schema(each, row, depth + 1) for each in value]
    if not isinstance(value, Mapping):
        return value
    made = {key: _schema(each, row, depth + 1) for key, each in value.items()}
    kind = made.get("type")
    if kind == "any":
        del made["type"]
    elif isinstance(kind, str):
        made["type"] = _TYPES.get(kind, kind)
    return made
