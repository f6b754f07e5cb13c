"""LiveCodeBench: a contest's problem, and tests that a program must pass (arXiv 2403.07974). Pure.

Rows are those of `code_generation_lite`: `question_content`, `starter_code`, `public_test_cases`
and `private_test_cases`, `contest_date`, and `metadata` with the function's name. The private tests
are JSON, or a pickled text, compressed, in base64. A pickle can run anything, so none is loaded:
what says nothing but one text is read, everything else refused.
"""

from __future__ import annotations

import base64
import binascii
import pickletools
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.questions import Question
from qwq_gguf.evaluation.suites.public.prompts import code_prompt
from qwq_gguf.evaluation.suites.public.rows import Row
from qwq_gguf.json_text import parse_json

__all__ = ["livecodebench_question", "within"]

_MOST_TESTS = 256 << 20  # bytes of the tests of one problem
_SECONDS = 30  # a test, as Qwen's harness has it
_TEXTS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_AROUND = ("PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "STOP")
_DAY = re.compile(r"\d{4}-\d{2}(-\d{2})?")


def livecodebench_question(row: Row, number: int) -> Question:
    """One problem, with all its tests."""
    starter = row.optional("starter_code") or ""
    tests = [*_tests(row, "public_test_cases"), *_tests(row, "private_test_cases")]
    if not tests:
        row.refuse("has no tests")
    entry = _entry(row) if starter.strip() else None
    difficulty = row.optional("difficulty")
    return Question(
        key=f"livecodebench:{row.optional('question_id') or number}",
        skill=f"livecodebench {difficulty}" if difficulty else "livecodebench",
        text=code_prompt(row.text("question_content"), starter),
        grader="code",
        expected={"entry": entry, "tests": tests, "seconds": _SECONDS},
    )


def within(rows: Iterable[Row], window: str) -> Iterator[Row]:
    """Those whose contest was in `FROM..TO`, the first of these days included, the last not."""
    first, dots, last = window.partition("..")
    if not dots or not _DAY.fullmatch(first) or not _DAY.fullmatch(last):
        raise EvaluationError("is no window", found=window[:60], expected="2024-08..2025-02")
    return (row for row in rows if first <= row.text("contest_date") < last)


def _tests(row: Row, name: str) -> list[dict[str, str]]:
    value = row.values.get(name)
    if value is None:
        return []
    try:
        found = value if isinstance(value, list) else _unpacked(str(value))
    except ValueError as error:
        row.refuse(f"has {name} that cannot be read", f"{error}"[:100])
    tests = []
    for test in found if isinstance(found, list) else [None]:
        sides = _sides(test)
        if not all(isinstance(each, str) for each in sides.values()):
            row.refuse(f"has {name} that are no tests")
        tests.append(sides)
    return tests


def _sides(test: object) -> dict[str, Any]:
    raw = test if isinstance(test, dict) else {}
    return {side: raw.get(side) for side in ("input", "output")}


def _unpacked(text: str) -> Any:
    if text.lstrip()[:1] == "[":
        return parse_json(text)
    try:
        packed = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"neither JSON nor base64: {error}") from error
    opened = zlib.decompressobj()
    try:
        raw = opened.decompress(packed, _MOST_TESTS)
    except zlib.error as error:
        raise ValueError(f"not compressed: {error}") from error
    if not opened.eof and not opened.unconsumed_tail:
        raise ValueError("cut off")
    if opened.unconsumed_tail:
        raise ValueError(f"more than {_MOST_TESTS} bytes")
    return parse_json(_text_of_pickle(raw))


def _text_of_pickle(raw: bytes) -> str:
    """The one text that a pickle holds; its operations are looked at, and none is done."""
    texts = []
    for operation, argument, _ in pickletools.genops(raw):
        if operation.name in _TEXTS:
            texts.append(argument)
        elif operation.name not in _AROUND:
            raise ValueError(f"a pickle that is no text: {operation.name}")
    if len(texts) != 1:
        raise ValueError("a pickle that is no text")
    return str(texts[0])


def _entry(row: Row) -> str:
    """The function that is called: `metadata` is JSON in a text."""
    metadata = row.values.get("metadata")
    try:
        found = parse_json(metadata) if isinstance(metadata, str) else metadata
    except ValueError:
        found = None
    name = found.get("func_name") if isinstance(found, dict) else None
    if not isinstance(name, str) or not name.isidentifier():
        row.refuse("has no name of its function in metadata", repr(metadata)[:60])
    return name
