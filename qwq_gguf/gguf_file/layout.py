"""The GGUF header as bytes, and its exact size before it is written.

Layout (version 3, little endian, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md):
magic, version, tensor count, key count; the key-value pairs; a record a tensor; zeros up
to the alignment; then the tensors' data, each padded to the alignment.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import chain
from typing import Protocol

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.metadata import KeyValue, Scalar, ValueType, text_bytes

__all__ = [
    "DEFAULT_ALIGNMENT",
    "HEADER_BYTES",
    "KEY_COUNT_AT",
    "MAGIC",
    "MAX_DIMENSIONS",
    "MAX_NAME_BYTES",
    "VERSION",
    "TensorRecord",
    "encode_entries",
    "encode_header",
    "entry_bytes",
    "header_bytes",
    "padded",
    "tensor_bytes",
]

MAGIC = b"GGUF"
VERSION = 3
DEFAULT_ALIGNMENT = 32
MAX_DIMENSIONS = 4
MAX_NAME_BYTES = 63  # ggml's names are 64 bytes with the closing zero

_LENGTH = struct.Struct("<Q")
_FIXED_HEADER = struct.Struct("<4sIQQ")
HEADER_BYTES = _FIXED_HEADER.size
KEY_COUNT_AT = HEADER_BYTES - 8
"""Where in a file the number of its keys is, eight bytes."""


class TensorRecord(Protocol):
    """What the tensor table says of a tensor. `shape[0]` is the length of a row."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def type(self) -> GgmlType: ...
    @property
    def offset(self) -> int:
        """Bytes from the start of the data, a multiple of the alignment."""


def padded(size: int, alignment: int) -> int:
    """`size` rounded up to the alignment."""
    return -(-size // alignment) * alignment


def tensor_bytes(kind: GgmlType, shape: Sequence[int]) -> int:
    """Bytes of a tensor's data without padding; ValueError if a row ends inside a block."""
    size = kind.row_bytes(shape[0] if shape else 1)
    for length in shape[1:]:
        size *= length
    return size


def header_bytes(
    metadata: Sequence[KeyValue],
    tensors: Sequence[TensorRecord],
    alignment: int = DEFAULT_ALIGNMENT,
) -> int:
    """Bytes before the data: exactly `len(encode_header(...))`, without building it."""
    size = _FIXED_HEADER.size
    size += sum(map(entry_bytes, metadata))
    for tensor in tensors:
        size += 8 + len(text_bytes(tensor.name)) + 4 + 8 * len(tensor.shape) + 4 + 8
    return padded(size, alignment)


def entry_bytes(entry: KeyValue) -> int:
    """Bytes of one key with its value."""
    return 8 + len(text_bytes(entry.key)) + 4 + _value_bytes(entry)


def encode_entries(metadata: Sequence[KeyValue]) -> bytes:
    """Keys and values as they follow one another in a header. ValueError for a key twice."""
    out = bytearray()
    seen: set[str] = set()
    for entry in metadata:
        if entry.key in seen:
            raise ValueError(f"the key {entry.key} appears twice")
        seen.add(entry.key)
        _append_text(out, entry.key)
        out += struct.pack("<I", entry.type)
        _append_value(out, entry)
    return bytes(out)


def encode_header(
    metadata: Sequence[KeyValue],
    tensors: Sequence[TensorRecord],
    alignment: int = DEFAULT_ALIGNMENT,
) -> bytes:
    """The header, padded so that the data starts right after it.

    ValueError for names, shapes, offsets or an alignment that no reader would take.
    """
    if alignment <= 0 or alignment & (alignment - 1):
        raise ValueError(f"the alignment {alignment} is not a power of two")
    out = bytearray(_FIXED_HEADER.pack(MAGIC, VERSION, len(tensors), len(metadata)))
    out += encode_entries(metadata)
    names: set[str] = set()
    for tensor in tensors:
        if tensor.name in names:
            raise ValueError(f"the tensor {tensor.name} appears twice")
        names.add(tensor.name)
        _check_record(tensor, alignment)
        _append_text(out, tensor.name)
        out += struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        out += struct.pack("<IQ", tensor.type, tensor.offset)
    out += bytes(padded(len(out), alignment) - len(out))
    return bytes(out)


def _check_record(tensor: TensorRecord, alignment: int) -> None:
    name_bytes = len(text_bytes(tensor.name))
    if not 0 < name_bytes <= MAX_NAME_BYTES:
        raise ValueError(f"{tensor.name}: a tensor name has 1 to {MAX_NAME_BYTES} bytes")
    if not 0 < len(tensor.shape) <= MAX_DIMENSIONS or min(tensor.shape) < 1:
        raise ValueError(f"{tensor.name}: {tensor.shape} is no shape of 1 to {MAX_DIMENSIONS}")
    if tensor.offset % alignment:
        raise ValueError(f"{tensor.name}: the offset {tensor.offset} is not aligned")


def _append_text(out: bytearray, value: str) -> None:
    raw = text_bytes(value)
    out += _LENGTH.pack(len(raw))
    out += raw


def _append_value(out: bytearray, entry: KeyValue) -> None:
    if entry.element is None:
        _append_scalar(out, entry.type, entry.scalar)
        return
    items = entry.items
    out += struct.pack("<IQ", entry.element, len(items))
    if entry.element is ValueType.STRING:
        raws = [text_bytes(str(item)) for item in items]
        lengths = map(_LENGTH.pack, map(len, raws))
        out += b"".join(chain.from_iterable(zip(lengths, raws, strict=True)))
    else:
        out += struct.pack(f"<{len(items)}{entry.element.format}", *items)


def _append_scalar(out: bytearray, kind: ValueType, value: Scalar) -> None:
    if kind is ValueType.STRING:
        _append_text(out, str(value))
    else:
        out += struct.pack("<" + kind.format, value)


def _value_bytes(entry: KeyValue) -> int:
    if entry.element is None:
        fixed = entry.type.fixed_size
        return 8 + len(text_bytes(str(entry.scalar))) if fixed is None else fixed
    fixed = entry.element.fixed_size
    if fixed is not None:
        return 12 + fixed * len(entry.items)
    return 12 + 8 * len(entry.items) + len(text_bytes("".join(map(str, entry.items))))
