"""Reading small text and JSON files of a stranger: bounded, and with one kind of error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qwq_gguf.errors import SourceError

__all__ = ["MIB", "read_json", "read_text"]

MIB = 1024 * 1024


def read_text(path: Path, *, limit: int, error: type[SourceError]) -> str:
    """The UTF-8 text of a file of at most `limit` bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as problem:
        raise error(f"cannot be read: {problem.strerror or problem}", path=path) from problem
    if len(content) > limit:
        raise error(
            "is too large to be what its name says",
            path=path,
            found=f"{path.stat().st_size} bytes",
            expected=f"at most {limit} bytes",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error("is not UTF-8 text", path=path, found=f"byte {problem.start}") from problem


def read_json(path: Path, *, limit: int, error: type[SourceError]) -> dict[str, Any]:
    """The JSON object in a file of at most `limit` bytes."""
    return parse_object(read_text(path, limit=limit, error=error), path=path, error=error)


def parse_object(
    content: str | bytes,
    *,
    path: Path,
    error: type[SourceError],
    unique: bool = False,
    what: str = "file",
) -> dict[str, Any]:
    """A JSON object. With `unique`, a name that occurs twice in any object is an error."""
    try:
        value = json.loads(content, object_pairs_hook=_no_duplicates if unique else None)
    # A number of 5,000 digits is a ValueError, nesting 100,000 deep a RecursionError.
    except (ValueError, RecursionError) as problem:
        raise error(
            f"the {what} is not valid JSON",
            path=path,
            found=str(problem) or type(problem).__name__,
            hint="download it again",
        ) from problem
    if not isinstance(value, dict):
        raise error(f"the {what} holds no JSON object", path=path, found=type(value).__name__)
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"{name!r} occurs twice")
            seen.add(name)
    return result
