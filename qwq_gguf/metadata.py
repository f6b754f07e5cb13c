"""GGUF key-value pairs as values, checked when they are made.

The format is described in https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
Strings that are not UTF-8 (a stranger's file) are held with surrogateescape, so that
they survive a round trip byte for byte.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

__all__ = [
    "MAX_KEY_BYTES",
    "KeyValue",
    "Scalar",
    "Value",
    "ValueType",
    "array",
    "boolean",
    "f32",
    "f64",
    "fits",
    "float32",
    "integer_range",
    "i32",
    "shortest_float32",
    "text",
    "text_bytes",
    "u32",
    "u64",
]

MAX_KEY_BYTES = 65535

Scalar: TypeAlias = bool | int | float | str
Value: TypeAlias = Scalar | Sequence[Scalar]


class ValueType(IntEnum):
    """`enum gguf_type`."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12

    @property
    def format(self) -> str:
        """The struct format letter of a fixed-size value; KeyError for strings and arrays."""
        return _FORMATS[self]

    @property
    def fixed_size(self) -> int | None:
        """Bytes of one value, or None when the length is part of the value."""
        letter = _FORMATS.get(self)
        return None if letter is None else struct.calcsize("<" + letter)


_FORMATS = {
    ValueType.UINT8: "B",
    ValueType.INT8: "b",
    ValueType.UINT16: "H",
    ValueType.INT16: "h",
    ValueType.UINT32: "I",
    ValueType.INT32: "i",
    ValueType.FLOAT32: "f",
    ValueType.BOOL: "?",
    ValueType.UINT64: "Q",
    ValueType.INT64: "q",
    ValueType.FLOAT64: "d",
}

# What rounds to the largest float32; all beyond it is infinite.
_LARGEST = float.fromhex("0x1.fffffefffffffp+127")
_RANGES = {
    ValueType.UINT8: (0, 2**8 - 1),
    ValueType.INT8: (-(2**7), 2**7 - 1),
    ValueType.UINT16: (0, 2**16 - 1),
    ValueType.INT16: (-(2**15), 2**15 - 1),
    ValueType.UINT32: (0, 2**32 - 1),
    ValueType.INT32: (-(2**31), 2**31 - 1),
    ValueType.UINT64: (0, 2**64 - 1),
    ValueType.INT64: (-(2**63), 2**63 - 1),
}


@dataclass(frozen=True, slots=True)
class KeyValue:
    """One metadata entry.

    `element` is the type of an array's elements and None for everything else. A float32
    holds the nearest value that four bytes can carry, so what was planned equals what is
    read back. ValueError when the key, the value or an element of it does not fit its type.
    """

    key: str
    type: ValueType
    value: Value
    element: ValueType | None = None

    def __post_init__(self) -> None:
        size = len(text_bytes(self.key))
        if not 0 < size <= MAX_KEY_BYTES:
            raise ValueError(f"a GGUF key has 1 to {MAX_KEY_BYTES} bytes, this one {size}")
        if (self.type is ValueType.ARRAY) != (self.element is not None):
            raise ValueError(f"{self.key}: only an array has an element type")
        if self.element is ValueType.ARRAY:
            raise ValueError(f"{self.key}: an array of arrays is not supported by llama.cpp")
        if self.element is None:
            if not fits(self.type, self.value):
                raise ValueError(f"{self.key}: {self.value!r} is not a {self.type.name.lower()}")
        elif not isinstance(self.value, Sequence) or isinstance(self.value, str):
            raise ValueError(f"{self.key}: {self.value!r} is not an array")
        elif isinstance(self.value, tuple | list):  # others are read from a file, as they are
            _check_items(self.key, self.element, self.value)

    @property
    def scalar(self) -> Scalar:
        """The value of a non-array; ValueError for an array."""
        if isinstance(self.value, bool | int | float | str):
            return self.value
        raise ValueError(f"{self.key} is an array")

    @property
    def items(self) -> Sequence[Scalar]:
        """The elements of an array; ValueError for a scalar."""
        if isinstance(self.value, bool | int | float | str):
            raise ValueError(f"{self.key} is not an array")
        return self.value


def fits(kind: ValueType, value: object) -> bool:
    """Whether `value` can be stored as a scalar of this type."""
    if kind is ValueType.STRING:
        return isinstance(value, str)
    if kind is ValueType.BOOL:
        return isinstance(value, bool)
    if kind is ValueType.FLOAT64:
        return isinstance(value, float)
    if kind is ValueType.FLOAT32:
        return isinstance(value, float) and (abs(value) <= _LARGEST or not math.isfinite(value))
    limits = integer_range(kind)
    if limits is None or not isinstance(value, int) or isinstance(value, bool):
        return False
    return limits[0] <= value <= limits[1]


def integer_range(kind: ValueType) -> tuple[int, int] | None:
    """The least and the largest number of an integer type, None for any other."""
    return _RANGES.get(kind)


def _check_items(key: str, element: ValueType, items: Sequence[Any]) -> None:
    if _all_fit(element, items):
        return
    for index, item in enumerate(items):
        if not fits(element, item):
            raise ValueError(f"{key}[{index}]: {item!r} is not a {element.name.lower()}")


def _all_fit(kind: ValueType, values: Sequence[Any]) -> bool:
    """What `fits` says of every one, found quickly; False also where that takes asking each."""
    types = set(map(type, values))
    if kind is ValueType.STRING:
        return types <= {str}
    if kind not in _RANGES or not all(issubclass(each, int) for each in types - {bool}):
        return False
    least, most = _RANGES[kind]
    return bool not in types and (not values or least <= min(values) <= max(values) <= most)


def text_bytes(value: str) -> bytes:
    """The stored bytes of a string."""
    return value.encode("utf-8", "surrogateescape")


def float32(value: float) -> float:
    """The float32 nearest to `value`, as a Python float; ValueError when out of range."""
    try:
        nearest: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError as error:
        raise ValueError(f"{value!r} is too large for a float32") from error
    return nearest


def shortest_float32(value: float) -> float:
    """The float with the fewest digits that rounds to the same float32 (0.6, not 0.60000002)."""
    if not math.isfinite(value):
        return value
    for digits in range(6, 10):
        short = float(f"{value:.{digits}g}")
        if float32(short) == float32(value):
            return short
    return value


def text(key: str, value: str) -> KeyValue:
    """A string entry."""
    return KeyValue(key, ValueType.STRING, value)


def u32(key: str, value: int) -> KeyValue:
    """An unsigned 32-bit entry."""
    return KeyValue(key, ValueType.UINT32, value)


def i32(key: str, value: int) -> KeyValue:
    """A signed 32-bit entry."""
    return KeyValue(key, ValueType.INT32, value)


def u64(key: str, value: int) -> KeyValue:
    """An unsigned 64-bit entry."""
    return KeyValue(key, ValueType.UINT64, value)


def f32(key: str, value: float) -> KeyValue:
    """A 32-bit float entry."""
    return KeyValue(key, ValueType.FLOAT32, float32(value))


def f64(key: str, value: float) -> KeyValue:
    """A 64-bit float entry."""
    return KeyValue(key, ValueType.FLOAT64, float(value))


def boolean(key: str, value: bool) -> KeyValue:
    """A boolean entry."""
    return KeyValue(key, ValueType.BOOL, value)


def array(key: str, element: ValueType, values: Iterable[Scalar]) -> KeyValue:
    """An array entry. ValueError when an element does not fit the element type."""
    items: tuple[Scalar, ...] = tuple(values)
    if element is ValueType.FLOAT32:
        items = tuple(float32(float(item)) for item in items)
    return KeyValue(key, ValueType.ARRAY, items, element)
