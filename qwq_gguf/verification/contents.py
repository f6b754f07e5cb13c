"""One pass over a GGUF's bytes: digests of all parts, and whether every block is valid.

The file is read once, in windows; its own digest and that of the tensor at hand are
computed in two threads while the next window is read. Three windows are in memory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qwq_gguf.errors import GgufError
from qwq_gguf.files.reading import open_file
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file.reader import GgufFile, GgufTensor
from qwq_gguf.quantization.recipes.recipe import TARGET_TYPES
from qwq_gguf.verification.findings import Finding, difference, remark
from qwq_gguf.verification.manifest import FileRecord, PartDigest, TensorDigest

if TYPE_CHECKING:
    from qwq_gguf.quantization.kernels.ggml import Ggml

__all__ = [
    "Contents",
    "Passed",
    "Read",
    "digest_parts",
    "file_record",
    "read_contents",
    "read_header",
    "read_with_header",
]

_WINDOW = 1 << 22
_VALIDATED = frozenset(TARGET_TYPES) | {
    GgmlType.F64,
    GgmlType.TQ1_0,
    GgmlType.TQ2_0,
    GgmlType.MXFP4,
}
_ANY_BYTES = frozenset({GgmlType.I8, GgmlType.I16, GgmlType.I32, GgmlType.I64})

Passed = Callable[[int, str], None]
"""Told how many more bytes are done, and of what."""

Read = Callable[[int, int], bytes]
"""Gives so many bytes from an offset, all of them."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the bytes of one file come to. `header` is all before the first tensor's data."""

    file: PartDigest
    header: PartDigest
    tensors: tuple[TensorDigest, ...]
    findings: tuple[Finding, ...]


def file_record(name: str, contents: Contents) -> FileRecord:
    """A file of this name and these contents, as a manifest has it."""
    return FileRecord(name, contents.file, contents.header, contents.tensors)


def read_contents(
    file: GgufFile, *, ggml: Ggml | None = None, passed: Passed | None = None
) -> Contents:
    """Read all of `file`. With `ggml`, every block is checked as llama.cpp checks it.

    GgufError when the file shrinks meanwhile, or cannot be read.
    """
    with _reading(file) as read:
        return digest_parts(file, read, ggml=ggml, passed=passed)


def read_header(file: GgufFile) -> bytes:
    """All before the first tensor's data. GgufError as above."""
    with _reading(file) as read:
        return read(0, min(file.data_offset, file.file_bytes))


def read_with_header(
    file: GgufFile, header: bytes, *, passed: Passed | None = None
) -> tuple[Contents, PartDigest]:
    """The same of `file`, and what all of it comes to with another header before its data."""
    whole = hashlib.sha256(header)
    start = min(file.data_offset, file.file_bytes)
    with _reading(file) as read:

        def tap(at: int, count: int) -> bytes:
            data = read(at, count)
            if at >= start:  # the header is read by itself
                whole.update(data)
            return data

        contents = digest_parts(file, tap, passed=passed)
    total = len(header) + file.file_bytes - start
    return contents, PartDigest(total, whole.hexdigest())


@contextmanager
def _reading(file: GgufFile) -> Iterator[Read]:
    try:
        descriptor = open_file(file.path)
    except OSError as error:
        raise GgufError(f"cannot be opened: {error.strerror or error}", path=file.path) from error

    def read(at: int, count: int) -> bytes:
        parts: list[bytes] = []
        missing = count
        while missing:
            try:
                part = os.pread(descriptor, missing, at + count - missing)
            except OSError as error:
                raise GgufError(
                    f"cannot be read: {error.strerror or error}", path=file.path
                ) from error
            if not part:
                raise GgufError("the file shrank while it was read", path=file.path)
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    try:
        yield read
    finally:
        os.close(descriptor)


def digest_parts(
    file: GgufFile, read: Read, *, ggml: Ggml | None = None, passed: Passed | None = None
) -> Contents:
    """The same of a file whose bytes `read` gives, from its beginning to its end."""
    with ThreadPoolExecutor(2, thread_name_prefix="digest") as pool:
        return _Pass(file, read, pool, ggml, passed).run()


class _Pass:
    def __init__(
        self,
        file: GgufFile,
        read: Read,
        pool: ThreadPoolExecutor,
        ggml: Ggml | None,
        passed: Passed | None,
    ) -> None:
        self._file = file
        self._read = read
        self._pool = pool
        self._ggml = ggml
        self._passed = passed
        self._whole = hashlib.sha256()
        self._pending: list[Future[None]] = []
        self._findings: list[Finding] = []

    def run(self) -> Contents:
        file = self._file
        at = min(file.data_offset, file.file_bytes)
        header = PartDigest(at, self._part(0, at, "header"))
        tensors: list[TensorDigest] = []
        for tensor in file.tensors:
            self._padding(at, tensor.offset)
            digest = self._part(tensor.offset, tensor.nbytes, tensor.name, tensor)
            kind = tensor.type.name
            tensors.append(TensorDigest(tensor.name, kind, tensor.shape, tensor.nbytes, digest))
            at = tensor.offset + tensor.nbytes
        self._padding(at, file.file_bytes)
        whole = PartDigest(file.file_bytes, self._whole.hexdigest())
        return Contents(whole, header, tuple(tensors), tuple(self._findings))

    def _part(self, start: int, nbytes: int, name: str, tensor: GgufTensor | None = None) -> str:
        digest = hashlib.sha256()
        check = self._validator(tensor)
        for at, data in self._windows(start, nbytes, tensor):

            def update(at: int = at, data: bytes = data) -> None:
                digest.update(data)
                if check is not None:
                    check(at - start, data)

            self._settle()
            self._pending = [
                self._pool.submit(self._whole.update, data),
                self._pool.submit(update),
            ]
            if self._passed is not None:
                self._passed(len(data), name)
        self._settle()
        return digest.hexdigest()

    def _settle(self) -> None:
        for future in self._pending:
            future.result()
        self._pending = []

    def _padding(self, start: int, stop: int) -> None:
        """Between tensors, and after the last, where trailing bytes of any length may be."""
        zero = True
        for _, data in self._windows(start, stop - start, None):
            self._whole.update(data)
            zero = zero and data.count(0) == len(data)
        if not zero:
            self._findings.append(
                difference("structure", "padding", f"bytes other than zero from offset {start}")
            )

    def _windows(
        self, start: int, nbytes: int, tensor: GgufTensor | None
    ) -> Iterator[tuple[int, bytes]]:
        """Whole blocks at a time."""
        size = 1 if tensor is None else tensor.type.type_size
        window = _WINDOW // size * size
        at, stop = start, start + nbytes
        while at < stop:
            data = self._read(at, min(window, stop - at))
            yield at, data
            at += len(data)

    def _validator(self, tensor: GgufTensor | None) -> Callable[[int, bytes], None] | None:
        """Reports the first window of a tensor that holds an invalid block."""
        ggml = self._ggml
        if ggml is None or tensor is None or tensor.type in _ANY_BYTES:
            return None
        if tensor.type not in _VALIDATED:
            self._findings.append(
                remark("structure", tensor.name, f"blocks of {tensor.type.name} are not checked")
            )
            return None
        import numpy as np

        row_bytes = tensor.type.row_bytes(tensor.shape[0] if tensor.shape else 1)
        found = False

        def check(first: int, data: bytes) -> None:
            nonlocal found
            blocks = np.frombuffer(data, dtype=np.uint8)
            if not found and not ggml.is_valid(tensor.type, blocks):
                found = True
                last = first + len(data) - 1
                rows = f"rows {first // row_bytes} to {last // row_bytes}"
                self._findings.append(
                    difference("structure", tensor.name, f"an invalid block, in {rows}")
                )

        return check
