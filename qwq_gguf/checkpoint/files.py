"""Reading small text and JSON files of a stranger: bounded, and with one kind of error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qwq_gguf.errors import SourceError
from qwq_gguf.files.reading import read_file
from qwq_gguf.foreign import HEAD_BYTES, recognise
from qwq_gguf.json_text import parse_json

__all__ = ["MIB", "parse_object", "read_json", "read_text"]

MIB = 1024 * 1024
_GROWTH = 6
"""How many times its largest size a file may take once it is read. A tokenizer.json, whose
half million merges are lists of two, takes four times its own; a header, ten times."""


def read_text(path: Path, *, limit: int, error: type[SourceError]) -> str:
    """The UTF-8 text of a file of at most `limit` bytes."""
    content = _read(path, limit, error)
    _refuse_foreign(content, path, error)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error("is not UTF-8 text", path=path, found=f"byte {problem.start}") from problem


def read_json(path: Path, *, limit: int, error: type[SourceError]) -> dict[str, Any]:
    """The JSON object in a file of at most `limit` bytes."""
    return parse_object(_read(path, limit, error), path=path, error=error, limit=limit)


def parse_object(
    content: str | bytes,
    *,
    path: Path,
    error: type[SourceError],
    limit: int,
    unique: bool = False,
    what: str = "file",
) -> dict[str, Any]:
    """A JSON object that may have `limit` bytes: what it becomes in memory is bounded by that.

    With `unique`, a name that occurs twice in any object is an error.
    """
    hook = _no_duplicates if unique else None
    try:
        value = parse_json(content, most=_GROWTH * limit, object_pairs_hook=hook)
    except ValueError as problem:  # also a number of 5,000 digits
        if isinstance(content, bytes):
            _refuse_foreign(content, path, error)
        if not content.strip():
            raise error(f"the {what} is empty", path=path, hint="download it again") from None
        raise error(
            f"the {what} is not valid JSON",
            path=path,
            found=str(problem) or type(problem).__name__,
            hint="download it again",
        ) from problem
    if not isinstance(value, dict):
        raise error(f"the {what} holds no JSON object", path=path, found=type(value).__name__)
    return value


def _read(path: Path, limit: int, error: type[SourceError]) -> bytes:
    try:
        content = read_file(path, limit)
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror or problem}", path=path) from problem
    if len(content) > limit:
        raise error(
            "is too large to be what its name says",
            path=path,
            found=f"{path.stat().st_size} bytes",
            expected=f"at most {limit} bytes",
        )
    return content


def _refuse_foreign(content: bytes, path: Path, error: type[SourceError]) -> None:
    foreign = recognise(content[:HEAD_BYTES], path, len(content))
    if foreign is not None:
        raise error(f"this is {foreign.what}", path=path, hint=foreign.hint)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"{name!r} occurs twice")
            seen.add(name)
    return result
