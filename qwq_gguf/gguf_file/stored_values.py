"""Metadata values as they lie in a file; long arrays stay there until someone looks."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from qwq_gguf.errors import GgufError
from qwq_gguf.files.reading import open_file
from qwq_gguf.gguf_file.cursor import Cursor
from qwq_gguf.metadata import Scalar, ValueType

__all__ = ["MAX_ARRAY_ITEMS", "MAX_TEXT_BYTES", "StoredArray", "read_array", "read_scalar"]

# A vocabulary has some 260,000 entries and a chat template some 20,000 bytes: these
# leave room for a long time and still bound what a hostile file can cost.
MAX_ARRAY_ITEMS = 1 << 21
MAX_TEXT_BYTES = 1 << 24

_INLINE_ITEMS = 64


class StoredArray(Sequence[Scalar]):
    """An array's elements, read from the file when first needed and kept from then on.

    GgufError on access when the file changed in the meantime.
    """

    def __init__(
        self,
        path: Path,
        identity: tuple[int, ...],
        element: ValueType,
        count: int,
        start: int,
        nbytes: int,
    ) -> None:
        self.element = element
        self.start = start
        self.nbytes = nbytes
        self._path = path
        self._identity = identity
        self._count = count
        self._items: tuple[Scalar, ...] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Scalar: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Scalar, ...]: ...
    def __getitem__(self, index: int | slice) -> Scalar | tuple[Scalar, ...]:
        return self._load()[index]

    def __iter__(self) -> Iterator[Scalar]:
        return iter(self._load())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredArray):
            return self._load() == other._load()
        if isinstance(other, tuple | list):
            return self._load() == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._load())

    def __repr__(self) -> str:
        return f"<{self._count} x {self.element.name.lower()}>"

    def _load(self) -> tuple[Scalar, ...]:
        if self._items is None:
            try:
                descriptor = open_file(self._path)
            except OSError as error:
                raise GgufError(
                    f"cannot be opened again: {error.strerror}", path=self._path
                ) from error
            try:
                if file_identity(descriptor) != self._identity:
                    raise GgufError("the file changed while it was in use", path=self._path)
                cursor = Cursor(descriptor, self._path, self._identity[0], self._identity[0])
                cursor.skip(self.start, "an array")
                self._items = _read_items(cursor, self.element, self._count, "an array")
            finally:
                os.close(descriptor)
        return self._items


def file_identity(descriptor: int) -> tuple[int, ...]:
    """What must stay the same for offsets to keep their meaning."""
    status = os.fstat(descriptor)
    return (status.st_size, status.st_ino, status.st_dev, status.st_mtime_ns)


def read_scalar(cursor: Cursor, kind: ValueType, key: str) -> Scalar:
    """The next non-array value."""
    if kind is ValueType.STRING:
        return _read_text(cursor, key)
    letter = kind.format
    if letter == "?":
        return cursor.take(1, key) != b"\0"
    value: Scalar = struct.unpack("<" + letter, cursor.take(struct.calcsize("<" + letter), key))[0]
    return value


def read_array(
    cursor: Cursor, identity: tuple[int, ...], key: str
) -> tuple[ValueType, Sequence[Scalar]]:
    """The next array: its element type and elements, long ones left in the file."""
    code = cursor.u32(key)
    try:
        element = ValueType(code)
    except ValueError:
        element = ValueType.ARRAY
    if element is ValueType.ARRAY:
        raise GgufError(
            f"{key} is an array of something unknown",
            path=cursor.path,
            found=f"type {code}",
            expected="an array of numbers, booleans or strings",
        )
    count = cursor.u64(key)
    if count > MAX_ARRAY_ITEMS:
        raise GgufError(
            f"{key} claims too many elements",
            path=cursor.path,
            found=count,
            expected=f"at most {MAX_ARRAY_ITEMS}",
        )
    start = cursor.position
    fixed = element.fixed_size
    if count <= _INLINE_ITEMS:
        return element, _read_items(cursor, element, count, key)
    if fixed is not None:
        cursor.skip(fixed * count, key)
    else:
        cursor.skip_texts(count, MAX_TEXT_BYTES, key)
    nbytes = cursor.position - start
    return element, StoredArray(cursor.path, identity, element, count, start, nbytes)


def _read_items(cursor: Cursor, element: ValueType, count: int, key: str) -> tuple[Scalar, ...]:
    if element is ValueType.STRING:
        cursor.require(8 * count, key)
        return tuple(_read_text(cursor, key) for _ in range(count))
    letter = element.format
    raw = cursor.take(struct.calcsize("<" + letter) * count, key)
    if letter == "?":
        return tuple(byte != 0 for byte in raw)
    return struct.unpack(f"<{count}{letter}", raw)


def _text_length(cursor: Cursor, key: str) -> int:
    length = cursor.u64(key)
    if length > MAX_TEXT_BYTES:
        raise GgufError(
            f"{key} holds an absurdly long text",
            path=cursor.path,
            found=f"{length} bytes",
            expected=f"at most {MAX_TEXT_BYTES}",
        )
    return length


def _read_text(cursor: Cursor, key: str) -> str:
    return cursor.take(_text_length(cursor, key), key).decode("utf-8", "surrogateescape")
