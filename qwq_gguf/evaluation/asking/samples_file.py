"""A run's replies in a file: each as soon as it is made, so that a run cut short can go on.

JSON lines: the run record first, then a sample a line. A line is written by one call, so a kill
leaves at most one that is not whole, at the end; that one is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from qwq_gguf.errors import EvaluationError, OutputError
from qwq_gguf.evaluation.asking.run_record import is_run_record, run_differences
from qwq_gguf.evaluation.asking.sample import Sample
from qwq_gguf.files.naming import (
    check_path,
    failure,
    keep_mode,
    name_without_replacing,
    sweep,
    sync_folder,
    taken,
    temporary,
)
from qwq_gguf.files.reading import open_file
from qwq_gguf.files.writing import write_all
from qwq_gguf.json_text import parse_json, to_json
from qwq_gguf.locks import lock
from qwq_gguf.words import count, one_line

__all__ = ["SamplesFile", "read_samples"]

_MOST_LINE = 64 << 20  # bytes: a reply of some hundred thousand tokens with their ids
_MOST_SHOWN = 3
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


def read_samples(path: Path) -> tuple[Mapping[str, Any], Iterator[Sample]]:
    """The run record of a samples file, and its replies, read as they are asked for.

    EvaluationError for what is none; a last line that is not whole is left out.
    """
    try:
        descriptor = open_file(path)
    except OSError as error:
        raise EvaluationError(f"cannot be read: {error.strerror or error}", path=path) from error
    lines = _whole_lines(descriptor, path)
    return _record(next(lines, (b"", 0))[0], path), (_sample(*line, path) for line in lines)


class SamplesFile:
    """The file of a run; a context manager. Replies that it has already are in `done`.

    It is locked while it is open, so that no two runs write into one file.
    """

    def __init__(self, path: Path, record: Mapping[str, Any], *, force: bool = False) -> None:
        """`record` is the run record; with `force` what is there is replaced, not gone on with.

        OutputError where no file can be, or where what is there is no samples file of a run that
        is the same in all that decides its replies: then it says in what they differ.
        """
        self.path = path
        self.done: tuple[Sample, ...] = ()
        if force or not os.path.lexists(path):
            check_path(path, force=force)
            self._create(record, force=force)
            return
        check_path(path, force=True)  # a folder, a device
        if path.is_symlink():
            raise taken(path)
        try:
            self._descriptor = open_file(path, os.O_RDWR)
        except OSError as error:
            raise failure(error, path) from error
        try:
            self._go_on(record)
        except BaseException:
            os.close(self._descriptor)
            raise

    def write(self, sample: Sample) -> None:
        """Write one reply down. What cannot be written whole is not there; OutputError."""
        self._append(sample.to_json())

    def close(self) -> None:
        """Have it all on the disk."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise failure(error, self.path) from error
        finally:
            os.close(self._descriptor)

    def __enter__(self) -> SamplesFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self, record: Mapping[str, Any], *, force: bool) -> None:
        """Have the file with its record under another name, then give it its own: whatever fails
        before that leaves what was there.
        """
        path, temp = self.path, temporary(self.path)
        sweep(path)
        try:
            temp.unlink(missing_ok=True)
            self._descriptor = os.open(temp, _NEW, 0o666)
        except OSError as error:
            raise failure(error, path) from error
        try:
            self._lock()
            self._append(record)
            if force:
                keep_mode(self._descriptor, path)
            os.fsync(self._descriptor)
            if force:
                temp.replace(path)
            else:
                name_without_replacing(temp, path)
            sync_folder(path.parent)
        except BaseException as error:
            os.close(self._descriptor)
            temp.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise failure(error, path) from error
            raise

    def _go_on(self, record: Mapping[str, Any]) -> None:
        self._lock()
        lines = _whole_lines(os.dup(self._descriptor), self.path)
        first, end = next(lines, (b"", 0))
        if not first and os.fstat(self._descriptor).st_size == 0:
            self._append(record)  # it was killed before it wrote anything
            return
        try:
            before = _record(first, self.path)
        except EvaluationError as error:
            raise OutputError(
                "exists already, and is no samples file to go on with",
                path=self.path,
                hint="choose another name, or --force to replace it",
            ) from error
        differences = run_differences(before, record)
        if differences:
            shown = differences[:_MOST_SHOWN]
            more = len(differences) - len(shown)
            raise OutputError(
                "has the replies of another run",
                path=self.path,
                found="; ".join([*shown, *([f"and {more} more"] if more else [])]),
                expected="the run that began it: " + one_line(str(before.get("command")), 200),
                hint="choose another name, or --force to replace it",
            )
        done = []
        for line, after in lines:
            done.append(replace(_sample(line, after, self.path), tokens=None))
            end = after
        os.ftruncate(self._descriptor, end)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        self.done = tuple(done)

    def _lock(self) -> None:
        if not lock(self._descriptor):
            raise OutputError(
                "another run is writing it", path=self.path, hint="wait for that, or name another"
            )

    def _append(self, value: Mapping[str, Any]) -> None:
        at = os.lseek(self._descriptor, 0, os.SEEK_END)
        try:
            write_all(self._descriptor, f"{to_json(value)}\n".encode())
        except BaseException as error:
            os.ftruncate(self._descriptor, at)
            if isinstance(error, OSError):
                raise failure(error, self.path) from error
            raise


def _whole_lines(descriptor: int, path: Path) -> Iterator[tuple[bytes, int]]:
    """Each line with where the next begins, without a last one that has no end."""
    at = 0
    with os.fdopen(descriptor, "rb") as file:
        file.seek(0)
        while line := file.readline(_MOST_LINE):
            if not line.endswith(b"\n"):
                if len(line) == _MOST_LINE:
                    raise EvaluationError("has too long a line", path=path, found=f"at {at}")
                return
            at += len(line)
            yield line, at


def _record(line: bytes, path: Path) -> Mapping[str, Any]:
    try:
        record = parse_json(line)
    except ValueError:
        record = None
    if not is_run_record(record):
        raise EvaluationError(
            "is no samples file",
            path=path,
            found=one_line(line.decode("utf-8", "replace"), 60) or "nothing",
            expected="one that `qwq-gguf eval thinking --out` wrote",
        )
    return record  # type: ignore[no-any-return]


def _sample(line: bytes, end: int, path: Path) -> Sample:
    try:
        return Sample.from_json(parse_json(line))
    except ValueError as error:
        raise EvaluationError(
            "has a line that is no reply",
            path=path,
            found=f"{error}, in the line that ends at byte {end}",
            hint=f"take that line out ({count(len(line), 'byte')}): it is asked for again",
        ) from error
