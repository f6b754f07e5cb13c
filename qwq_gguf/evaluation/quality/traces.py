"""Replies as tokens, from a samples file of `eval thinking --traces`.

JSON lines: a run record (schema qwq-gguf/eval-run/1), then a reply a line (schema
qwq-gguf/eval-sample/2), of which `tokens` has what was read and what was written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from qwq_gguf.errors import EvaluationError
from qwq_gguf.files.reading import open_file
from qwq_gguf.json_text import parse_json
from qwq_gguf.words import one_line

__all__ = ["Kinds", "Trace", "kinds_of", "read_traces"]

RUN_SCHEMA = "qwq-gguf/eval-run/1"
SAMPLE_SCHEMA = "qwq-gguf/eval-sample/2"
_MOST_LINE = 64 << 20
_HINT = "make one with: qwq-gguf eval thinking MODEL --suite SUITE --traces --out FILE"


class Trace(NamedTuple):
    """A prompt and the reply to it, in tokens of one vocabulary; whether it has a thought."""

    prompt: tuple[int, ...]
    reply: tuple[int, ...]
    thinks: bool

    @property
    def tokens(self) -> tuple[int, ...]:
        """All of them."""
        return self.prompt + self.reply


class Kinds(NamedTuple):
    """Where in a reply is what: its first `thought` tokens are the thought with its closing tag;
    `closed`: it has one.
    """

    thought: int
    closed: bool


def kinds_of(trace: Trace, closing: Sequence[int]) -> Kinds:
    """`closing` are the tokens of the closing tag; a thought without one goes to the end."""
    if not trace.thinks:
        return Kinds(0, False)
    size = len(closing)
    for end in range(size, len(trace.reply) + 1):
        if trace.reply[end - size : end] == tuple(closing):
            return Kinds(end, True)
    return Kinds(len(trace.reply), False)


def read_traces(path: Path, vocabulary: int) -> list[Trace]:
    """The replies in such a file that have tokens, in order; a last line that is not whole is
    left out.

    EvaluationError for a file that is none, has no tokens, or tokens of a larger vocabulary.
    """
    try:
        descriptor = open_file(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvaluationError(f"cannot be read: {reason}", path=path) from error
    traces: list[Trace] = []
    replies = 0
    for number, raw in enumerate(_objects(descriptor, path)):
        if number == 0:
            if raw.get("schema") != RUN_SCHEMA:
                raise _no_traces(path, raw.get("schema"))
            continue
        if raw.get("schema") != SAMPLE_SCHEMA:
            raise EvaluationError(
                f"line {number + 1} is no reply", path=path, found=raw.get("schema"), hint=_HINT
            )
        replies += 1
        if raw.get("tokens") is not None:
            traces.append(_trace(raw, vocabulary, path, number + 1))
    if not traces:
        raise EvaluationError(
            "has no replies with their tokens", path=path, found=f"{replies} without", hint=_HINT
        )
    return traces


def _objects(descriptor: int, path: Path) -> Iterator[dict[str, Any]]:
    with os.fdopen(descriptor, "rb") as file:
        number = 0
        while line := file.readline(_MOST_LINE):
            number += 1
            if not line.endswith(b"\n"):
                if number == 1 or len(line) == _MOST_LINE:
                    raise _no_traces(path, line[:60])
                return
            try:
                value = parse_json(line)
            except ValueError as error:
                raise _no_traces(path, f"line {number}: {error}") from error
            if not isinstance(value, dict):
                raise _no_traces(path, line[:60])
            yield value
        if number == 0:
            raise _no_traces(path, "nothing")


def _no_traces(path: Path, found: object) -> EvaluationError:
    return EvaluationError(
        "is no file of replies",
        path=path,
        found=one_line(str(found)),
        expected=f"lines of JSON, the first with the schema {RUN_SCHEMA}",
        hint=_HINT,
    )


def _trace(raw: dict[str, Any], vocabulary: int, path: Path, line: int) -> Trace:
    tokens = raw["tokens"]
    parts = [tokens.get(name) if isinstance(tokens, dict) else None for name in ("prompt", "reply")]
    for part in parts:
        if not isinstance(part, list) or not all(type(token) is int for token in part):
            raise EvaluationError(f"line {line} has tokens that are no numbers", path=path)
        if part and not 0 <= min(part) <= max(part) < vocabulary:
            raise EvaluationError(
                f"line {line} has tokens that the model does not have",
                path=path,
                found=f"{min(part)} to {max(part)}",
                expected=f"0 to {vocabulary - 1}",
                hint="use the file with the model that wrote it, or a quant of it",
            )
    prompt, reply = parts
    return Trace(tuple(prompt or ()), tuple(reply or ()), raw.get("thought_tokens") != 0)
