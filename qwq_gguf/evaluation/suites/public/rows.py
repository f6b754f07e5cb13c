"""Rows of strangers' files, read within bounds: JSON lines, a JSON list, or CSV."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from qwq_gguf.errors import EvaluationError
from qwq_gguf.files.reading import open_file
from qwq_gguf.json_text import parse_json
from qwq_gguf.words import human_bytes, one_line

__all__ = ["Row", "read_rows"]

_MOST_LINE = 256 << 20  # bytes; a problem with all its tests
_MOST_WHOLE = 256 << 20  # of a file that is one JSON value, or a table
_MOST_ROWS = 200_000
_MOST_TEXT = 1 << 20  # characters of a text that a model is to read
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a file, numbered from 1; what it lacks is an EvaluationError that names it."""

    values: Mapping[str, Any]
    number: int
    path: Path

    def text(self, *names: str) -> str:
        """The first of these fields that it has, as text: numbers, too, as they are written."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return f"{value:.15g}" if isinstance(value, float) else str(value)
            if isinstance(value, str):
                if len(value) > _MOST_TEXT:
                    self.refuse(f"{name} is too long", f"{len(value)} characters")
                return value
        self.refuse(f"has no text {' or '.join(names)}", one_line(", ".join(self.values), 100))

    def optional(self, *names: str) -> str | None:
        """The same, or None where it has none of them."""
        known = [name for name in names if isinstance(self.values.get(name), str | int | float)]
        return self.text(*known) if known else None

    def items(self, name: str) -> list[Any]:
        """A list."""
        value = self.values.get(name)
        if not isinstance(value, list):
            self.refuse(f"has no list {name}", one_line(repr(value), 60))
        return value

    def refuse(self, what: str, found: str | None = None) -> NoReturn:
        """EvaluationError of this row."""
        raise EvaluationError(f"row {self.number} {what}", path=self.path, found=found)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file: .csv as a table, all else as JSON. EvaluationError, as it is read."""
    try:
        descriptor = open_file(path)
    except OSError as error:
        raise EvaluationError(f"cannot be read: {error.strerror or error}", path=path) from error
    return _rows(descriptor, path)


def _rows(descriptor: int, path: Path) -> Iterator[Row]:
    with os.fdopen(descriptor, "rb") as file:
        start = file.peek(4)[:4]
        if start == _PARQUET:
            raise EvaluationError(
                "is a Parquet file",
                path=path,
                expected="JSON lines, a JSON list, or CSV",
                hint="pandas.read_parquet(FILE).to_json(OTHER, orient='records', lines=True)",
            )
        if path.suffix.lower() == ".csv":
            found = _table(file, path)
        elif start.lstrip()[:1] == b"[":
            found = _list(file, path)
        else:
            found = _lines(file, path)
        for number, values in enumerate(found, start=1):
            if number > _MOST_ROWS:
                raise EvaluationError("has too many rows", path=path, expected=f"{_MOST_ROWS}")
            if not isinstance(values, Mapping):
                raise EvaluationError(
                    f"row {number} is no object", path=path, found=one_line(repr(values), 60)
                )
            yield Row(values, number, path)


def _lines(file: BinaryIO, path: Path) -> Iterator[Any]:
    number = 0
    while line := file.readline(_MOST_LINE + 1):
        number += 1
        if len(line) > _MOST_LINE:
            raise EvaluationError(f"line {number} is too long", path=path)
        if not line.strip():
            continue
        try:
            yield parse_json(line)
        except ValueError as error:
            raise EvaluationError(
                f"line {number} is no JSON", path=path, found=f"{error}"[:200]
            ) from error


def _list(file: BinaryIO, path: Path) -> Iterator[Any]:
    try:
        values = parse_json(_whole(file, path))
    except ValueError as error:
        raise EvaluationError("is no JSON", path=path, found=f"{error}"[:200]) from error
    return iter(values)


def _table(file: BinaryIO, path: Path) -> Iterator[Any]:
    _check_size(os.fstat(file.fileno()).st_size, path)
    before = csv.field_size_limit(_MOST_TEXT)
    try:
        with TextIOWrapper(file, "utf-8-sig", newline="") as text:
            return iter(list(csv.DictReader(text, restkey="more", strict=True)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise EvaluationError("is no table", path=path, found=f"{error}"[:200]) from error
    finally:
        csv.field_size_limit(before)


def _whole(file: BinaryIO, path: Path) -> bytes:
    content = file.read(_MOST_WHOLE + 1)
    _check_size(len(content), path)
    return content


def _check_size(size: int, path: Path) -> None:
    if size > _MOST_WHOLE:
        raise EvaluationError(
            "is too large", path=path, expected=f"at most {human_bytes(_MOST_WHOLE)}, or JSON lines"
        )
