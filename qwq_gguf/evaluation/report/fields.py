"""The values of a stranger's JSON object by name and kind. ValueError says which is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["MOST_ROWS", "Fields"]

MOST_ROWS = 200
"""Cells or quants of one result: more is no picture."""
_MOST = 1e300


class Fields:
    """An object; `place` is where it stands in the whole."""

    def __init__(self, raw: object, place: str = "") -> None:
        if not isinstance(raw, Mapping):
            raise ValueError(f"{place or 'it'} is no object")
        self.raw: Mapping[str, Any] = raw
        self._place = place

    def within(self, name: str) -> Fields:
        """An object in it."""
        return Fields(self.raw.get(name), self._at(name))

    def optional(self, name: str) -> Fields | None:
        """The same; None where it is null, or not there."""
        return None if self.raw.get(name) is None else self.within(name)

    def rows(self, name: str) -> list[Fields]:
        """A list of objects in it."""
        found = self.raw.get(name)
        if not isinstance(found, list):
            raise ValueError(f"{self._at(name)} is no list")
        if len(found) > MOST_ROWS:
            raise ValueError(f"{self._at(name)} has {len(found)} rows, of {MOST_ROWS} at most")
        return [Fields(each, f"{self._at(name)}[{at}]") for at, each in enumerate(found)]

    def items(self, name: str) -> Iterator[tuple[str, Fields]]:
        """Objects by name in it, of which there may be none."""
        found = self.optional(name)
        if found is not None:
            if len(found.raw) > MOST_ROWS:
                raise ValueError(f"{self._at(name)} has more than {MOST_ROWS} entries")
            for key in found.raw:
                yield key, found.within(key)

    def text(self, name: str) -> str:
        """A text."""
        found = self.raw.get(name)
        if not isinstance(found, str):
            raise ValueError(f"{self._at(name)} is no text")
        return found

    def number(self, name: str) -> float:
        """A number, and a finite one."""
        found = self.raw.get(name)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise ValueError(f"{self._at(name)} is no number")
        if abs(found) > _MOST or not math.isfinite(found):  # a whole number may have no float
            raise ValueError(f"{self._at(name)} is {str(found)[:20]}")
        return float(found)

    def optional_number(self, name: str) -> float | None:
        """The same; None where it is null, or not there."""
        return None if self.raw.get(name) is None else self.number(name)

    def count(self, name: str) -> int:
        """A whole number from 0."""
        found = self.number(name)
        if found != int(found) or not 0 <= found < 1 << 53:
            raise ValueError(f"{self._at(name)} is {found:g}, which counts nothing")
        return int(found)

    def share(self, name: str) -> float:
        """A number from 0 to 1."""
        found = self.number(name)
        if not 0 <= found <= 1:
            raise ValueError(f"{self._at(name)} is {found:g}, which is no share")
        return found

    def _at(self, name: str) -> str:
        return f"{self._place}.{name[:60]}" if self._place else name[:60]
