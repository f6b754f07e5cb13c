"""Entries that a user sets by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qwq_gguf.errors import ConfigError
from qwq_gguf.metadata import KeyValue, ValueType, boolean, f32, i32, text, u32

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

    ConfigError says what is wrong with it.
    """
    key, equals, rest = argument.partition("=")
    kind, colon, value = rest.partition(":")
    if not equals or not colon or not key:
        raise _broken(
            argument, "an override is KEY=TYPE:VALUE", "tokenizer.ggml.add_bos_token=bool:false"
        )
    try:
        if kind == "int":
            number = int(value)
            return u32(key, number) if number >= 0 else i32(key, number)
        if kind == "float" and math.isfinite(float(value)):
            return f32(key, float(value))
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

    A whole number takes the type that the key had. ConfigError for keys that are not free.
    """
    entries = {entry.key: entry for entry in metadata}
    for entry in extra:
        if entry.key.startswith(_FIXED):
            raise ConfigError(f"{entry.key} cannot be overridden, it follows from the file")
        entries[entry.key] = _like(entries.get(entry.key), entry)
    return tuple(entries.values())


def _like(present: KeyValue | None, entry: KeyValue) -> KeyValue:
    if present is None or present.type is entry.type:
        return entry
    number = entry.value
    if isinstance(number, int) and not isinstance(number, bool):
        try:
            if present.type is ValueType.FLOAT32:
                return f32(entry.key, float(number))
            if present.type not in (ValueType.BOOL, ValueType.STRING, ValueType.ARRAY):
                return KeyValue(entry.key, present.type, number)
        except ValueError:
            pass
    raise ConfigError(
        f"{entry.key} has another type",
        found=entry.type.name.lower(),
        expected=present.type.name.lower(),
    )


def _broken(argument: str, message: str, expected: str | None = None) -> ConfigError:
    return ConfigError(message, found=argument[:200], expected=expected)
