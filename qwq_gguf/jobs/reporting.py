"""A report on what was measured: results are read, a page, Markdown and pictures written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import EvaluationError, UsageError
from qwq_gguf.jobs.events import Report, Wrote
from qwq_gguf.words import count, one_line, one_of

if TYPE_CHECKING:
    from qwq_gguf.evaluation.asking.sample import Sample
    from qwq_gguf.evaluation.report.values import MadeFile, Results
    from qwq_gguf.jobs.reported_samples import Firsts

__all__ = ["REPORT_SCHEMA", "Reported", "make_report", "read_results"]

REPORT_SCHEMA = "qwq-gguf/report/1"
_MOST_FILES = 200
_MOST_RESULT = 64 << 20  # bytes of one object; the largest is a manifest
_MOST_SAMPLES = 8 << 30  # bytes of samples files, traces in them, in all
_MOST_BYTES = 1 << 60
_MOST_REPLIES = 1_000_000
_HEAD = 1 << 12
_SCHEMA = re.compile(rb'^\s*\{\s*"schema"\s*:\s*"([\w./-]{1,80})"')


@dataclass(frozen=True, slots=True)
class Reported:
    """What was written, the page first, and the titles of what is in it."""

    files: tuple[Path, ...]
    sections: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All of it as one object."""
        return {
            "schema": REPORT_SCHEMA,
            "files": [str(path) for path in self.files],
            "sections": list(self.sections),
        }


def make_report(
    runs: Sequence[Path], folder: Path, report: Report, *, force: bool = False
) -> Reported:
    """Write report.html, report.md and a file for each picture into `folder`, all or none.

    EvaluationError for a file that is no result; OutputError; ManifestError.
    """
    from qwq_gguf.evaluation.report.composing import compose
    from qwq_gguf.evaluation.report.html import html_of, picture_file
    from qwq_gguf.evaluation.report.markdown import markdown_of
    from qwq_gguf.files.writing import Content, write_files

    results = read_results(runs)
    document = compose(results)
    page = folder / "report.html"
    files: dict[Path, Content] = {
        page: html_of(document),
        folder / "report.md": markdown_of(document),
    }
    for picture in document.pictures:
        files[folder / f"{picture.name}.svg"] = picture_file(picture)
    write_files(files, force=force, make_folders=True)
    report(Wrote(page, f"{count(len(document.sections), 'section')}, and report.md beside it"))
    return Reported(tuple(files), tuple(section.title for section in document.sections))


def read_results(runs: Sequence[Path]) -> Results:
    """What these files say. EvaluationError names the one that is no result."""
    from qwq_gguf.evaluation.report.reading import ERRORS, FITTED, QUALITY, THINKING

    if not runs:
        raise UsageError("name at least one result")
    if len(runs) > _MOST_FILES:
        raise UsageError(f"{len(runs)} files: a report is on {_MOST_FILES} at most")
    reading = _Reading()
    for path in dict.fromkeys(runs):
        schema = _schema(path)
        match schema:
            case "qwq-gguf/eval-run/1":
                reading.samples(path)
            case _ if schema in (THINKING, QUALITY, ERRORS, FITTED):
                reading.result(path, schema)
            case "qwq-gguf/manifest/1":
                reading.manifest(path)
            case _:
                raise EvaluationError(
                    "is no result that a report could be made of",
                    path=path,
                    found="no schema" if schema is None else schema,
                    expected=one_of(
                        ("a samples file", "a --json result of eval thinking or eval quality",
                         "a manifest", "errors of recipes fit")
                    ),
                )  # fmt: skip
    return reading.results()


def _schema(path: Path) -> str | None:
    from qwq_gguf.files.reading import open_file

    try:
        with os.fdopen(open_file(path), "rb") as file:
            found = _SCHEMA.match(file.read(_HEAD))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EvaluationError(f"cannot be read: {reason}", path=path) from error
    return None if found is None else found[1].decode()


class _Reading:
    """Files, one after the other."""

    def __init__(self) -> None:
        self._thinking: list[Any] = []
        self._quality: list[Any] = []
        self._errors: list[Any] = []
        self._fitted: list[Any] = []
        self._made: list[MadeFile] = []
        self._firsts: Firsts = {}
        self._bytes = 0
        self._replies = 0

    def results(self) -> Results:
        """All of them."""
        from qwq_gguf.evaluation.report.values import Results

        return Results(
            tuple(self._thinking),
            tuple(self._quality),
            tuple(self._made),
            tuple(self._errors),
            tuple(self._fitted),
        )

    def result(self, path: Path, schema: str) -> None:
        """One object, as a command printed it."""
        from qwq_gguf.evaluation.report import reading
        from qwq_gguf.json_text import parse_json

        readers: dict[str, tuple[Any, list[Any]]] = {
            reading.THINKING: (reading.read_thinking, self._thinking),
            reading.QUALITY: (reading.read_quality, self._quality),
            reading.ERRORS: (reading.read_errors, self._errors),
            reading.FITTED: (reading.read_fitted, self._fitted),
        }
        read, found = readers[schema]
        try:
            found.append(read(parse_json(_content(path)), _name(path)))
        except ValueError as error:
            raise EvaluationError(
                "is no whole result",
                path=path,
                found=one_line(str(error), 200),
                expected=schema,
                hint="make it again with --json",
            ) from error

    def manifest(self, path: Path) -> None:
        """The manifest of a model."""
        from qwq_gguf.evaluation.report.values import MadeFile
        from qwq_gguf.verification.manifest import parse_manifest

        found = parse_manifest(_content(path).decode("utf-8", "replace"), path)
        nbytes = sum(file.file.nbytes for file in found.files)
        weights = sum(_weights(tensor.shape) for tensor in found.tensors)
        if max(nbytes, weights) >= _MOST_BYTES:
            raise EvaluationError("makes no sense", path=path, found="sizes above all that is real")
        self._made.append(
            MadeFile(
                found.files[0].name,
                nbytes,
                weights,
                found.source.name,
                found.source.commit,
                found.recipe,
                found.versions,
                {tensor.name: tensor.type for tensor in found.tensors},
            )
        )

    def samples(self, path: Path) -> None:
        """A samples file: its figures are computed here, as `eval thinking` would."""
        from qwq_gguf.evaluation.asking.samples_file import read_samples
        from qwq_gguf.evaluation.report.fields import MOST_ROWS
        from qwq_gguf.evaluation.report.reading import read_thinking
        from qwq_gguf.jobs.reported_samples import by_cell, cells_value, missing_replies

        self._bytes += path.stat().st_size
        if self._bytes > _MOST_SAMPLES:
            raise EvaluationError("samples files are too large together", path=path)
        record, replies = read_samples(path)
        groups = by_cell(self._counted(replies, path))
        if len(groups) > MOST_ROWS:
            raise EvaluationError("has too many cells", path=path, expected=f"{MOST_ROWS} at most")
        value = {"run": record, "cells": cells_value(record, groups, self._firsts)}
        try:
            run = read_thinking(value, _name(path), missing=missing_replies(record, groups))
        except ValueError as error:
            found = one_line(str(error), 200)
            raise EvaluationError("makes no sense", path=path, found=found) from error
        self._thinking.append(run)

    def _counted(self, replies: Iterator[Sample], path: Path) -> Iterator[Sample]:
        for reply in replies:
            self._replies += 1
            if self._replies > _MOST_REPLIES:
                most = f"{_MOST_REPLIES:,} replies in all"
                raise EvaluationError("has too much for one report", path=path, expected=most)
            yield reply


def _weights(shape: Sequence[int]) -> int:
    """How many numbers a tensor has; of absurd ones, so many that it is seen."""
    size = 1
    for length in shape:
        size = min(size * length, _MOST_BYTES)
    return size


def _content(path: Path) -> bytes:
    from qwq_gguf.files.reading import read_file

    try:
        content = read_file(path, _MOST_RESULT)
    except OSError as error:
        raise EvaluationError(f"cannot be read: {error.strerror or error}", path=path) from error
    if len(content) > _MOST_RESULT:
        raise EvaluationError("is too large for a result", path=path)
    return content


def _name(path: Path) -> str:
    return one_line(path.name, 80)
