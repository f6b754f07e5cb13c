"""Values of a profile's TOML, refused by name when they are none of their kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from qwq_gguf.errors import ProfileError
from qwq_gguf.words import did_you_mean

__all__ = ["only", "table_of", "text_of", "texts_of"]

_MAX_TEXT = 2000


def only(prefix: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    """ProfileError for any key that is not among the known ones."""
    for key in table:
        if key not in known:
            raise ProfileError(
                f"unknown key {prefix}{key}",
                expected=", ".join(known),
                hint=did_you_mean(key, known),
            )


def table_of(name: str, value: object) -> Mapping[str, Any]:
    """The table of this name."""
    if not isinstance(value, dict):
        raise ProfileError(f"{name} must be a table", found=repr(value))
    return value


def text_of(name: str, value: object) -> str:
    """The short text of this name; ProfileError also when it is absent (None) or blank."""
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_TEXT:
        raise ProfileError(
            f"{name} must be a text of 1 to {_MAX_TEXT} characters",
            found="nothing" if value is None else repr(value)[:80],
        )
    return value


def texts_of(name: str, value: object) -> tuple[str, ...]:
    """The list of texts of this name."""
    if not isinstance(value, list):
        raise ProfileError(f"{name} must be a list of texts", found=repr(value)[:80])
    for item in value:
        if not isinstance(item, str):
            raise ProfileError(f"{name} must be a list of texts", found=repr(item)[:80])
    return tuple(value)
