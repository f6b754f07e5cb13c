"""Typed access to JSON of strangers: a checkpoint's config.json, by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.errors import ConfigError

__all__ = ["Fields"]


class Fields:
    """Typed access to one JSON object, with errors that name the file and the key."""

    def __init__(self, values: Mapping[str, Any], path: Path, prefix: str = "") -> None:
        self.values = values
        self.path = path
        self.prefix = prefix

    def error(self, key: str, message: str, expected: object = None) -> ConfigError:
        """A ConfigError about one key."""
        found = self.values.get(key)
        return ConfigError(
            f"{self.prefix}{key} {message}",
            path=self.path,
            found=None if found is None else str(found)[:80],
            expected=expected,
        )

    def integer(self, key: str, most: int, *, least: int = 1, default: int | None = None) -> int:
        """An integer between `least` and `most`; `default` when the key is absent or null."""
        value = self.values.get(key)
        if value is None:
            if default is None:
                raise self.error(key, "is missing", f"an integer from {least} to {most}")
            return default
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.error(key, "is absurd", f"an integer from {least} to {most}")
        return value

    def number(self, key: str, least: float, most: float, *, default: float | None = None) -> float:
        """A finite number between `least` and `most`; `default` when absent or null."""
        value = self.values.get(key)
        if value is None:
            if default is None:
                raise self.error(key, "is missing", f"a number from {least:g} to {most:g}")
            return default
        good = isinstance(value, int | float) and not isinstance(value, bool)
        if not good or not least <= value <= most:  # NaN is in no range
            raise self.error(key, "is absurd", f"a number from {least:g} to {most:g}")
        return float(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean; `default` when absent or null."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, "is neither true nor false")
        return value

    def object(self, key: str) -> Fields | None:
        """A nested object; None when absent or null."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.error(key, "is not an object")
        return Fields(value, self.path, f"{self.prefix}{key}.")
