"""The reference's log-probabilities in a file, as llama-perplexity's --kl-divergence-base has it:

    "_logits_", window, vocabulary, windows, the tokens of all windows (32 bits each), then for
    each window rows of codes (log_probs.py) behind its tokens window/2 to window-2.

All little-endian. Lengths are held against the file's size before anything is read.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.quality.log_probs import Codes, code_words
from qwq_gguf.files.reading import open_file
from qwq_gguf.files.sized import NewFile
from qwq_gguf.words import human_bytes

__all__ = ["BaseFile", "BaseHeader", "NewBaseFile", "is_base_file"]

MAGIC = b"_logits_"
_NUMBERS = struct.Struct("<Iii")
_HEAD = len(MAGIC) + _NUMBERS.size
_HINT = "make it with: qwq-gguf eval quality REFERENCE --text FILE --save-logits OUT"


@dataclass(frozen=True, slots=True)
class BaseHeader:
    """Windows of `window` tokens, `windows` of them; which tokens they are stands behind."""

    window: int
    vocabulary: int
    windows: int

    @property
    def first(self) -> int:
        """The first token of a window behind which something is foretold."""
        return self.window // 2

    @property
    def rows(self) -> int:
        """Of a window."""
        return self.window - 1 - self.first

    @property
    def data_offset(self) -> int:
        """Where the rows begin."""
        return _HEAD + 4 * self.window * self.windows

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return 2 * code_words(self.vocabulary)

    @property
    def file_bytes(self) -> int:
        """Bytes of the whole file."""
        return self.data_offset + self.windows * self.rows * self.row_bytes


def is_base_file(path: Path) -> bool:
    """Whether a file begins like one; OSError where it cannot be looked at."""
    descriptor = open_file(path)
    try:
        return os.pread(descriptor, len(MAGIC), 0) == MAGIC
    finally:
        os.close(descriptor)


class BaseFile:
    """One that is there, open for reading; a context manager.

    EvaluationError for a file that is none, is cut short, or names tokens that there are not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = open_file(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise EvaluationError(f"cannot be opened: {reason}", path=path) from error
        try:
            self.header = self._read_header()
            self.tokens = self._read_tokens()
        except BaseException:
            os.close(self._descriptor)
            raise

    def _read_header(self) -> BaseHeader:
        size = os.fstat(self._descriptor).st_size
        raw = os.pread(self._descriptor, _HEAD, 0)
        if len(raw) < _HEAD or not raw.startswith(MAGIC):
            raise EvaluationError(
                "no file of llama-perplexity's base logits",
                path=self.path,
                found=f"{size} bytes that begin with {raw[:8]!r}",
                expected=f"a file that begins with {MAGIC.decode()}",
                hint=_HINT,
            )
        header = BaseHeader(*_NUMBERS.unpack(raw[len(MAGIC) :]))
        if header.window < 4 or header.vocabulary < 1 or header.windows < 1:
            raise EvaluationError(
                "the base logits' header makes no sense",
                path=self.path,
                found=f"{header.windows} windows of {header.window} tokens out of "
                f"{header.vocabulary}",
                hint=_HINT,
            )
        if size != header.file_bytes:
            raise EvaluationError(
                "the base logits are cut short" if size < header.file_bytes else "goes on too long",
                path=self.path,
                found=human_bytes(size) if size < header.file_bytes else f"{size} bytes",
                expected=human_bytes(header.file_bytes)
                if size < header.file_bytes
                else f"{header.file_bytes} bytes",
                hint=_HINT,
            )
        return header

    def _read_tokens(self) -> NDArray[np.int32]:
        count = self.header.window * self.header.windows
        raw = self._bytes(4 * count, _HEAD)
        tokens = np.frombuffer(raw, "<i4").reshape(self.header.windows, self.header.window)
        if tokens.min() < 0 or tokens.max() >= self.header.vocabulary:
            raise EvaluationError(
                "the base logits name tokens that are not in the vocabulary",
                path=self.path,
                found=f"{tokens.min()} to {tokens.max()}",
                expected=f"0 to {self.header.vocabulary - 1}",
                hint=_HINT,
            )
        return tokens

    def rows(self, window: int, first: int, count: int) -> Codes:
        """Codes behind the tokens `first`, `first + 1`, ... of a window."""
        header = self.header
        row = window * header.rows + first - header.first
        raw = self._bytes(count * header.row_bytes, header.data_offset + row * header.row_bytes)
        return np.frombuffer(raw, "<u2").reshape(count, -1)

    def _bytes(self, size: int, offset: int) -> bytes:
        raw = _read(self._descriptor, size, offset)
        if len(raw) < size:
            raise EvaluationError("the base logits were cut short meanwhile", path=self.path)
        return raw

    def close(self) -> None:
        """Close it; may be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> BaseFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class NewBaseFile:
    """One in the making: appears whole at the end of a `with` block that `commit` was called in.

    OutputError before anything is computed, where there is no room for it or the name is taken.
    """

    def __init__(
        self, path: Path, header: BaseHeader, tokens: NDArray[np.int32], *, force: bool = False
    ) -> None:
        self.header = header
        self._file = NewFile(path, header.file_bytes, force=force)
        self._tokens = tokens

    def __enter__(self) -> NewBaseFile:
        self._file.__enter__()
        numbers = (self.header.window, self.header.vocabulary, self.header.windows)
        self._file.write(0, MAGIC + _NUMBERS.pack(*numbers))
        self._file.write(_HEAD, self._tokens.astype("<i4").tobytes())
        return self

    def put(self, window: int, first: int, codes: Codes) -> None:
        """Rows behind the tokens `first`, `first + 1`, ... of a window."""
        row = window * self.header.rows + first - self.header.first
        place = self.header.data_offset + row * self.header.row_bytes
        self._file.write(place, codes.astype("<u2", copy=False).tobytes())

    def commit(self) -> None:
        """Give it its name."""
        self._file.commit()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.__exit__(kind, error, trace)


def _read(descriptor: int, size: int, offset: int) -> bytes:
    """So many bytes, fewer at the end of the file."""
    parts: list[bytes] = []
    while size and (part := os.pread(descriptor, size, offset)):
        parts.append(part)
        size -= len(part)
        offset += len(part)
    return b"".join(parts)
