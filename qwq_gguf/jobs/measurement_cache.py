"""Errors that were measured once, in the user's cache: a file for each model and matrix."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from qwq_gguf.errors import OutputError
from qwq_gguf.files.writing import write_file
from qwq_gguf.json_text import parse_json
from qwq_gguf.quantization.fitting.measured import MEASURED_SCHEMA, Measured
from qwq_gguf.resources import own_cache, read_own

if TYPE_CHECKING:
    from qwq_gguf.ggml_types import GgmlType
    from qwq_gguf.jobs.source import Source
    from qwq_gguf.quantization.fitting.measuring import Task
    from qwq_gguf.quantization.planning.importance import Imatrix

__all__ = ["KeptErrors"]

_MOST_BYTES = 1 << 24
_EVERY = 10.0  # seconds of work that a kill may cost


class KeptErrors:
    """What is known of a model's errors. As a context it writes what was added, however it ends.

    A cache that cannot be read or written only costs the work.
    """

    def __init__(self, source: Source, imatrix: Imatrix | None, tasks: Sequence[Task]) -> None:
        self._fingerprint = _fingerprint(source, imatrix, tasks)
        folder = own_cache("errors")
        name = f"{sha256(self._fingerprint.encode()).hexdigest()[:32]}.json"
        self._path = None if folder is None else folder / name
        self._errors = {name: dict(kinds) for name, kinds in self._read().errors.items()}
        self._written = time.monotonic()

    @property
    def measured(self) -> Measured:
        """All that is known."""
        return Measured(self._fingerprint, self._errors)

    def add(self, name: str, errors: Mapping[GgmlType, float]) -> None:
        """This was measured."""
        self._errors.setdefault(name, {}).update(errors)
        if time.monotonic() - self._written > _EVERY:
            self._write()

    def __enter__(self) -> KeptErrors:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def _read(self) -> Measured:
        nothing = Measured(self._fingerprint, {})
        if self._path is None:
            return nothing
        try:
            raw = read_own(self._path, _MOST_BYTES)
            return nothing if raw is None else Measured.of_json(parse_json(raw), self._fingerprint)
        except (OSError, ValueError):
            return nothing

    def _write(self) -> None:
        self._written = time.monotonic()
        if self._path is None:
            return
        try:
            write_file(self._path, json.dumps(self.measured.to_json()), force=True)
        except (OSError, OutputError):
            pass


def _fingerprint(source: Source, imatrix: Imatrix | None, tasks: Sequence[Task]) -> str:
    """What decides the numbers, in lines: weights, matrix, rows, and how both are compared."""
    lines = [MEASURED_SCHEMA]
    lines += [f"{shard.name}: {source.identity(shard)}" for shard in source.shards]
    if imatrix is not None:
        digest = sha256()
        for name in sorted(imatrix.entries):
            digest.update(name.encode("utf-8", "surrogateescape"))
            digest.update(imatrix.entries[name].tobytes())
        lines.append(f"imatrix {digest.hexdigest()}")
    rows = sha256(repr([(task.tensor.name, task.sample.runs) for task in tasks]).encode())
    lines.append(f"rows {rows.hexdigest()}")
    return "\n".join(lines)
