"""The reference's rows between two passes: in a file that has no name and leaves nothing behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from qwq_gguf.errors import OutputError
from qwq_gguf.evaluation.quality.log_probs import Codes, code_words
from qwq_gguf.files.naming import failure
from qwq_gguf.files.writing import write_all
from qwq_gguf.quantization.writing.free_space import check_free_space

__all__ = ["Gives", "Keeps", "RowsOnDisk"]


class Keeps(Protocol):
    """Takes rows of codes."""

    def put(self, text: int, first: int, codes: Codes, /) -> None:
        """Rows behind the tokens `first`, `first + 1`, ... of a text."""


class Gives(Protocol):
    """Gives rows of codes back."""

    def rows(self, text: int, first: int, count: int, /) -> Codes:
        """Those behind the tokens `first`, `first + 1`, ... of a text."""


class RowsOnDisk:
    """Such a file in the folder for temporary ones; a context manager.

    OutputError, before anything is computed, where it has no room.
    """

    def __init__(self, firsts: Sequence[int], lengths: Sequence[int], vocabulary: int) -> None:
        self._width = 2 * code_words(vocabulary)
        self._firsts = tuple(firsts)
        counts = [max(0, n - 1 - first) for first, n in zip(firsts, lengths, strict=True)]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(int).tolist()
        self.folder = Path(tempfile.gettempdir())
        self.nbytes = self._starts[-1] * self._width
        check_free_space({self.folder / "the reference's log-probabilities": self.nbytes})
        try:
            self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
        except OSError as error:
            raise failure(error, self.folder) from error

    def put(self, text: int, first: int, codes: Codes) -> None:
        """Rows behind the tokens `first`, `first + 1`, ... of a text."""
        descriptor = self._file.fileno()
        try:
            os.lseek(descriptor, self._place(text, first), os.SEEK_SET)
            write_all(descriptor, codes.tobytes())
        except OSError as error:
            raise failure(error, self.folder, self.nbytes) from error

    def rows(self, text: int, first: int, count: int) -> Codes:
        """The same again."""
        size = count * self._width
        self._file.seek(self._place(text, first))
        raw = self._file.read(size)
        if len(raw) < size:
            raise OutputError("a temporary file was cut short", path=self.folder)
        return np.frombuffer(raw, np.uint16).reshape(count, -1)

    def _place(self, text: int, first: int) -> int:
        return (int(self._starts[text]) + first - self._firsts[text]) * self._width

    def __enter__(self) -> RowsOnDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
