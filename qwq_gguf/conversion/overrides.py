"""Entries that a user sets by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qwq_gguf.errors import ConfigError
from qwq_gguf.metadata import KeyValue, ValueType, boolean, f32, f64, fits, integer_range, text

__all__ = ["apply_overrides", "parse_override"]

# What these say follows from the file itself; anything else would make it unreadable.
_FIXED = (
    "general.architecture",
    "general.alignment",
    "general.file_type",
    "general.quantization_version",
    "split.",
)


def parse_override(argument: str) -> KeyValue:
    """`KEY=TYPE:VALUE` with TYPE one of int, float, bool, str, as llama.cpp's tools have it.

    A float comes as exact as it was typed and an integer in the smallest type from 32 bits
    on; `apply_overrides` gives them the type of their key. ConfigError says what is wrong.
    """
    key, equals, rest = argument.partition("=")
    kind, colon, value = rest.partition(":")
    if not equals or not colon or not key:
        raise _broken(
            argument, "an override is KEY=TYPE:VALUE", "tokenizer.ggml.add_bos_token=bool:false"
        )
    try:
        if kind == "int":
            return _integer(key, int(value))
        if kind == "float" and math.isfinite(float(value)):
            return f64(key, float(value))
        if kind == "bool" and value in ("true", "false"):
            return boolean(key, value == "true")
        if kind == "str":
            return text(key, value)
    except ValueError as problem:
        raise _broken(argument, f"the value is no {kind} that a GGUF can hold") from problem
    if kind in ("float", "bool"):
        raise _broken(argument, f"the value is no {kind}")
    raise _broken(argument, "an unknown type", "int, float, bool or str")


def apply_overrides(
    metadata: Sequence[KeyValue], extra: Sequence[KeyValue]
) -> tuple[KeyValue, ...]:
    """Put each entry of `extra` in the place of its key, new ones at the end.

    A number takes the type that the key had; a float of a new key is a float32, as llama.cpp's
    tools write it. ConfigError for keys that are not free, and numbers out of range.
    """
    entries = {entry.key: entry for entry in metadata}
    for entry in extra:
        if entry.key.startswith(_FIXED):
            raise ConfigError(f"{entry.key} cannot be overridden, it follows from the file")
        entries[entry.key] = _like(entries.get(entry.key), entry)
    return tuple(entries.values())


def _integer(key: str, number: int) -> KeyValue:
    for kind in (ValueType.UINT32, ValueType.INT32, ValueType.UINT64, ValueType.INT64):
        if fits(kind, number):
            return KeyValue(key, kind, number)
    raise ValueError(f"{number} has more than 64 bits")


def _like(present: KeyValue | None, entry: KeyValue) -> KeyValue:
    """The entry in the type of the key that is there."""
    value = entry.value
    if isinstance(value, float):
        kind = ValueType.FLOAT32 if present is None else present.type
        if kind is ValueType.FLOAT64:
            return f64(entry.key, value)
        if kind is ValueType.FLOAT32:
            return _float32(entry.key, value)
    if present is None or present.type is entry.type:
        return entry
    if isinstance(value, int) and not isinstance(value, bool):
        if present.type is ValueType.FLOAT32:
            return _float32(entry.key, float(value))
        if present.type is ValueType.FLOAT64:
            return f64(entry.key, float(value))
        limits = integer_range(present.type)
        if limits is not None and not fits(present.type, value):
            raise ConfigError(
                f"{entry.key} is a {present.type.name.lower()}, which has no such number",
                found=value,
                expected=f"{limits[0]} to {limits[1]}",
            )
        if limits is not None:
            return KeyValue(entry.key, present.type, value)
    raise ConfigError(
        f"{entry.key} has another type",
        found=entry.type.name.lower(),
        expected=present.type.name.lower(),
    )


def _float32(key: str, value: float) -> KeyValue:
    try:
        return f32(key, value)
    except ValueError as problem:
        raise ConfigError(
            f"{key} is a float32, which has no such number",
            found=value,
            expected="at most 3.4e38",
        ) from problem


def _broken(argument: str, message: str, expected: str | None = None) -> ConfigError:
    return ConfigError(message, found=argument[:200], expected=expected)
