"""Reading a GGUF file's header: keys and tensor table, never the weights.

Nothing in the file is believed: counts, lengths, types, shapes and offsets are checked
against the file's size and against what llama.cpp accepts before they are used, so a
truncated, damaged or hostile file ends in GgufError after bounded work.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from qwq_gguf.errors import GgufError
from qwq_gguf.files.reading import open_file
from qwq_gguf.foreign import HEAD_BYTES, recognise
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file.concatenated import refuse_joined
from qwq_gguf.gguf_file.cursor import Cursor
from qwq_gguf.gguf_file.header import GgufFile, GgufTensor
from qwq_gguf.gguf_file.layout import (
    DEFAULT_ALIGNMENT,
    MAGIC,
    MAX_DIMENSIONS,
    MAX_NAME_BYTES,
    VERSION,
    padded,
    tensor_bytes,
)
from qwq_gguf.gguf_file.stored_values import file_identity, read_array, read_scalar
from qwq_gguf.metadata import MAX_KEY_BYTES, KeyValue, ValueType
from qwq_gguf.words import one_of

__all__ = ["GgufFile", "GgufTensor", "read_gguf"]

# The largest real headers (vocabulary, merges, thousands of tensors) have some 30 MB.
MAX_HEADER_BYTES = 1 << 26
MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 17
MAX_ALIGNMENT = 1 << 20


def read_gguf(path: str | Path) -> GgufFile:
    """The header of one GGUF file; GgufError for anything that llama.cpp could not load."""
    path = Path(path)
    try:
        descriptor = open_file(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise GgufError(f"cannot be opened: {reason}", path=path) from error
    try:
        identity = file_identity(descriptor)
        size = identity[0]

        def at(base: int) -> GgufFile:
            cursor = Cursor(descriptor, path, size - base, MAX_HEADER_BYTES, base=base)
            return _read(cursor, identity)

        file = at(0)
        refuse_joined(descriptor, size, file, at)
        return file
    finally:
        os.close(descriptor)


def _read(cursor: Cursor, identity: tuple[int, ...]) -> GgufFile:
    version = _read_version(cursor)
    tensor_count = _count(cursor, "tensors", MAX_TENSORS, least_bytes=24)
    key_count = _count(cursor, "keys", MAX_KEYS, least_bytes=14)
    metadata: dict[str, KeyValue] = {}
    for _ in range(key_count):
        entry = _read_entry(cursor, identity)
        if entry.key in metadata:
            raise GgufError(f"the key {entry.key} appears twice", path=cursor.path)
        metadata[entry.key] = entry
    alignment = _alignment(metadata, cursor.path)
    records = [_read_record(cursor) for _ in range(tensor_count)]
    data_offset = padded(cursor.position, alignment)
    tensors = _place(records, data_offset, alignment, cursor)
    return GgufFile(
        path=cursor.path,
        version=version,
        metadata=metadata,
        tensors=tensors,
        alignment=alignment,
        data_offset=data_offset,
        file_bytes=cursor.size,
    )


def _read_version(cursor: Cursor) -> int:
    if cursor.size < 4:
        what = "is empty" if cursor.size == 0 else "not a GGUF file"
        raise GgufError(
            what, path=cursor.path, found=f"{cursor.size} bytes", hint="download it again"
        )
    magic = cursor.take(4, "the magic")
    if magic != MAGIC:
        _refuse_other(magic, cursor)
    version = cursor.u32("the version")
    if version & 0xFFFF == 0 and version:
        raise GgufError(
            "a big-endian GGUF file, made for another kind of machine", path=cursor.path
        )
    if version not in (2, VERSION):
        raise GgufError(
            "a GGUF version this program does not know",
            path=cursor.path,
            found=version,
            expected=f"2 or {VERSION}",
        )
    return version


def _refuse_other(magic: bytes, cursor: Cursor) -> NoReturn:
    head = magic + cursor.take(min(HEAD_BYTES, cursor.remaining), "the beginning")
    if any(head):  # zeros are what an interrupted run of this program leaves
        foreign = recognise(head, cursor.path, cursor.size)
        if foreign is not None:
            raise GgufError(
                f"not a GGUF file, but {foreign.what}", path=cursor.path, hint=foreign.hint
            )
    hint = None
    if magic == bytes(4):
        hint = "the run or download that wrote it did not finish: make it or download it again"
    raise GgufError("not a GGUF file", path=cursor.path, found=magic, expected=MAGIC, hint=hint)


def _count(cursor: Cursor, what: str, most: int, least_bytes: int) -> int:
    count = cursor.u64(f"the number of {what}")
    if count > most or count * least_bytes > cursor.remaining:
        raise GgufError(
            f"claims more {what} than it can hold",
            path=cursor.path,
            found=count,
            expected=f"at most {min(most, cursor.remaining // least_bytes)}",
        )
    return count


def _read_name(cursor: Cursor, what: str, most: int) -> str:
    length = cursor.u64(what)
    if not 0 < length <= most:
        raise GgufError(
            f"{what} has an impossible length",
            path=cursor.path,
            found=f"{length} bytes",
            expected=f"1 to {most}",
        )
    return cursor.take(length, what).decode("utf-8", "surrogateescape")


def _read_entry(cursor: Cursor, identity: tuple[int, ...]) -> KeyValue:
    key = _read_name(cursor, "a key", MAX_KEY_BYTES)
    code = cursor.u32(key)
    try:
        kind = ValueType(code)
    except ValueError:
        raise GgufError(
            f"{key} has an unknown type",
            path=cursor.path,
            found=code,
            expected=f"0 to {max(ValueType)}",
        ) from None
    if kind is ValueType.ARRAY:
        element, items = read_array(cursor, identity, key)
        return KeyValue(key, kind, items, element)
    return KeyValue(key, kind, read_scalar(cursor, kind, key))


def _alignment(metadata: Mapping[str, KeyValue], path: Path) -> int:
    entry = metadata.get("general.alignment")
    if entry is None:
        return DEFAULT_ALIGNMENT
    value = entry.value
    if (
        entry.type is not ValueType.UINT32
        or not isinstance(value, int)
        or not 0 < value <= MAX_ALIGNMENT
        or value & (value - 1)
    ):
        raise GgufError(
            "general.alignment makes no sense",
            path=path,
            found=value,
            expected=f"a power of two up to {MAX_ALIGNMENT}, as a uint32",
        )
    return value


@dataclass(frozen=True, slots=True)
class _Record:
    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int
    nbytes: int


def _read_record(cursor: Cursor) -> _Record:
    name = _read_name(cursor, "a tensor name", MAX_NAME_BYTES)
    dimensions = cursor.u32(name)
    if dimensions > MAX_DIMENSIONS:
        raise GgufError(
            f"{name} has too many dimensions",
            path=cursor.path,
            found=dimensions,
            expected=f"at most {MAX_DIMENSIONS}",
        )
    shape = tuple(cursor.u64(name) for _ in range(dimensions))
    code = cursor.u32(name)
    try:
        kind = GgmlType(code)
    except ValueError:
        raise GgufError(
            f"{name} has a data type this program does not know",
            path=cursor.path,
            found=code,
            expected=one_of(f"{known.value} {known.name}" for known in GgmlType),
        ) from None
    if 0 in shape:
        raise GgufError(f"{name} is empty", path=cursor.path, found=shape)
    try:
        nbytes = tensor_bytes(kind, shape)
    except ValueError as error:
        raise GgufError(f"{name}: {error}", path=cursor.path, found=shape) from error
    return _Record(name, shape, kind, cursor.u64(name), nbytes)


def _place(
    records: list[_Record], data_offset: int, alignment: int, cursor: Cursor
) -> tuple[GgufTensor, ...]:
    """Check that the tensors follow one another, as llama.cpp demands, inside the file."""
    tensors: list[GgufTensor] = []
    seen: set[str] = set()
    expected = 0
    for record in records:
        if record.name in seen:
            raise GgufError(f"the tensor {record.name} appears twice", path=cursor.path)
        seen.add(record.name)
        if record.offset != expected:
            raise GgufError(
                f"{record.name} is not where the tensors before it end",
                path=cursor.path,
                found=f"offset {record.offset}",
                expected=f"offset {expected}",
            )
        start = data_offset + record.offset
        if start + record.nbytes > cursor.size:
            raise GgufError(
                f"{record.name} reaches past the end of the file",
                path=cursor.path,
                found=f"a file of {cursor.size} bytes",
                expected=f"at least {start + record.nbytes} bytes",
                hint="download the file again: it is truncated",
            )
        tensors.append(GgufTensor(record.name, record.shape, record.type, start, record.nbytes))
        expected += padded(record.nbytes, alignment)
    return tuple(tensors)
