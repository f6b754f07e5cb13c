"""What a reader takes, seen by letting it read: which fields it asks for, of which kind and bounds.

So what is described is what is checked. A reader looks into an object only where there is one, so
it is given samples that together have one of each; what it asks of any of them is noted. Of objects
that come in several types all fields stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from qwq_gguf.serve.reading.fields import Fields, Kind

__all__ = ["schema_of"]

_MOST_EXACT = 2**53  # numbers beyond are not the same in every reader of JSON


class _Notes:
    """Of one place in a body."""

    def __init__(self) -> None:
        self.fields: dict[str, list[dict[str, Any]]] = {}
        self.inner: dict[str, _Notes] = {}
        self.needed: set[str] | None = None  # of every object that was seen here

    def schema(self) -> dict[str, Any]:
        needed = sorted(self.needed or ())
        properties: dict[str, Any] = {}
        for name, kinds in self.fields.items():
            found = [self._filled(name, kind) for kind in kinds]
            if name not in needed:
                found.append({"type": "null"})  # as if it were not there
            properties[name] = found[0] if len(found) == 1 else {"anyOf": found}
        # Ids of tokens are names of fields, too, and one stands for all.
        ids = [name for name in properties if name.isdecimal()]
        schema: dict[str, Any] = {"type": "object"}
        if ids:
            schema["patternProperties"] = {"^[0-9]{1,10}$": properties.pop(ids[0])}
        if properties:
            schema["properties"] = properties
        return schema | ({"required": needed} if needed else {})

    def _filled(self, name: str, kind: dict[str, Any]) -> dict[str, Any]:
        inner = self.inner.get(name)
        if inner is None or not inner.fields:
            return kind
        if kind["type"] == "object":
            return inner.schema()
        return kind | {"items": inner.schema()} if kind["type"] == "array" else kind


class _Noted(Fields):
    def __init__(
        self, data: Mapping[str, Any], notes: _Notes, seen: list[_Noted], at: str = ""
    ) -> None:
        super().__init__(data, at)
        self._notes, self._seen = notes, seen
        seen.append(self)
        self._quiet = False
        self._asked: set[str] = set()

    def settle(self) -> None:
        """It was read: what it needed is needed where all others did."""
        notes = self._notes
        notes.needed = self._asked if notes.needed is None else notes.needed & self._asked

    def kind(
        self, name: str, kinds: Collection[Kind], expected: str, *, needed: bool = False
    ) -> Kind | None:
        if needed:
            self._need(name)
        return super().kind(name, kinds, expected, needed=needed)

    def text(self, name: str, *, most: int | None = None) -> str | None:
        with self._noting(name, {"type": "string"} | ({} if most is None else {"maxLength": most})):
            return super().text(name, most=most)

    def needed_text(self, name: str, *, most: int | None = None) -> str:
        self._need(name)
        self.text(name, most=most)
        with self._noting(name):
            return super().needed_text(name, most=most)

    def word(self, name: str, known: Collection[str], *, needed: bool = True) -> str:
        if needed:
            self._need(name)
        with self._noting(name, {"type": "string", "enum": list(known)}):
            return super().word(name, known, needed=needed)

    def flag(self, name: str) -> bool | None:
        with self._noting(name, {"type": "boolean"}):
            return super().flag(name)

    def whole(self, name: str, least: int, most: int) -> int | None:
        bounds = {
            "minimum": max(least, -_MOST_EXACT),
            "maximum": min(most, _MOST_EXACT),
        }
        with self._noting(name, {"type": "integer"} | bounds):
            return super().whole(name, least, most)

    def number(self, name: str, least: float, most: float) -> int | float | None:
        with self._noting(name, {"type": "number", "minimum": least, "maximum": most}):
            return super().number(name, least, most)

    def choice(self, name: str, words: Collection[str]) -> str | None:
        with self._noting(name, {"type": "string", "enum": list(words)}):
            return super().choice(name, words)

    def needed_choice(self, name: str, words: Collection[str]) -> str:
        self._need(name)
        return super().needed_choice(name, words)

    def object(self, name: str) -> Fields | None:
        with self._noting(name, {"type": "object"}):
            return super().object(name)

    def needed_object(self, name: str) -> Fields:
        self._need(name)
        return super().needed_object(name)

    def within(self, value: Mapping[str, Any], name: str) -> Fields:
        place = name.partition("[")[0]
        notes = self._notes.inner.setdefault(place, _Notes())
        return _Noted(value, notes, self._seen, self.place(name))

    def list(self, name: str, *, most: int) -> Sequence[Any] | None:
        with self._noting(name, {"type": "array", "maxItems": most}):
            return super().list(name, most=most)

    def objects(self, name: str, *, most: int, least: int = 0) -> Iterator[Fields]:
        bounds = {"maxItems": most} | ({"minItems": least} if least else {})
        kind = {"type": "array", "items": {"type": "object"}} | bounds
        if least:
            self._need(name)
        with self._noting(name, kind):
            found = [*super().objects(name, most=most, least=least)]
        yield from found

    def texts(self, name: str, *, most: int, chars: int) -> tuple[str, ...]:
        one = {"type": "string", "maxLength": chars}
        self._note(name, one)
        with self._noting(name, {"type": "array", "items": one, "maxItems": most}):
            return super().texts(name, most=most, chars=chars)

    def _need(self, name: str) -> None:
        if not self._quiet:
            self._asked.add(name)

    def _note(self, name: str, kind: dict[str, Any]) -> None:
        kinds = self._notes.fields.setdefault(name, [])
        if not self._quiet and kind not in kinds:
            kinds.append(kind)

    @contextmanager
    def _noting(self, name: str, kind: dict[str, Any] | None = None) -> Iterator[None]:
        """Note it, and not what asking for it asks for in turn."""
        if kind is not None:
            self._note(name, kind)
        quiet, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = quiet


def schema_of(
    read: Callable[[Fields], object], samples: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The JSON schema of the bodies that this reader takes."""
    notes = _Notes()
    for sample in samples:
        seen: list[_Noted] = []
        read(_Noted(sample, notes, seen))
        for each in seen:
            each.settle()
    return notes.schema()
