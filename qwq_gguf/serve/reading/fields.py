"""A body's fields, each taken with its kind and its bounds, or refused by its name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from qwq_gguf.json_text import parse_json
from qwq_gguf.serve.limits import LIMITS, RequestLimits
from qwq_gguf.serve.refusal import Refusal

__all__ = ["Fields", "Kind", "read_body"]

Kind: TypeAlias = Literal["flag", "list", "object", "text"]

_TYPES: Mapping[Kind, type] = {"flag": bool, "list": list, "object": dict, "text": str}


def read_body(raw: bytes, limits: RequestLimits = LIMITS) -> Fields:
    """The fields of a body. Refusal for what is no JSON object that can be said again as text:
    too large, too deep, numbers that are none, half characters.
    """
    try:
        data = parse_json(raw, most=limits.built)
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        raise Refusal("the body has half of a surrogate pair in a text") from None
    except (ValueError, RecursionError) as error:
        # What a JSON reader says may quote the body, but no more than a few words of it.
        raise Refusal(f"the body is not valid JSON: {error}"[:200], code="invalid_json") from None
    if not isinstance(data, dict):
        raise Refusal("the body must be a JSON object")
    return Fields(data)


class Fields:
    """An object of a body. A field that is null is one that is not there.

    Every method raises a Refusal with the field's whole name as `param`.
    """

    def __init__(self, data: Mapping[str, Any], at: str = "") -> None:
        self.data = data
        self._at = at

    def place(self, name: str) -> str:
        """A field's whole name, such as `messages[2].content`."""
        return f"{self._at}.{name}" if self._at else name

    def has(self, name: str) -> bool:
        """Whether it is there, and not null."""
        return self.data.get(name) is not None

    def wrong(self, name: str, expected: str) -> Refusal:
        """That a field is not what it must be."""
        return Refusal(
            f"{self.place(name)} must be {expected}",
            param=self.place(name),
            code="invalid_type" if self.has(name) else "missing_required_parameter",
        )

    def kind(
        self, name: str, kinds: Collection[Kind], expected: str, *, needed: bool = False
    ) -> Kind | None:
        """Which of these a field is that may be one or the other; None where it is not there and
        need not be.
        """
        value = self.data.get(name)
        if value is None and not needed:
            return None
        for kind in kinds:
            if isinstance(value, _TYPES[kind]):
                return kind
        raise self.wrong(name, expected)

    def word(self, name: str, known: Collection[str], *, needed: bool = True) -> str:
        """A word that is looked at elsewhere, where these are known; "" if it is not there."""
        value = self.needed_text(name, most=100) if needed else self.text(name, most=100)
        return value or ""

    def text(self, name: str, *, most: int | None = None) -> str | None:
        """A text of at most so many characters."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.wrong(name, "a text")
        if most is not None and len(value) > most:
            raise self.wrong(name, f"at most {most} characters long")
        return value

    def needed_text(self, name: str, *, most: int | None = None) -> str:
        """The same, which has to be there."""
        value = self.text(name, most=most)
        if value is None:
            raise self.wrong(name, "a text")
        return value

    def flag(self, name: str) -> bool | None:
        """True or false."""
        value = self.data.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number in this range; 5.0 is one."""
        value = self.number(name, least, most)
        if value is None:
            return None
        if value != int(value):
            raise self.wrong(name, "a whole number")
        return int(value)

    def number(self, name: str, least: float, most: float) -> int | float | None:
        """A number in this range."""
        value = self.data.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "a number")
        if not least <= value <= most:  # which no NaN is; a whole number may be beyond any float
            raise self.wrong(name, f"from {least:g} to {most:g}")
        return value

    def choice(self, name: str, words: Collection[str]) -> str | None:
        """One of some words."""
        value = self.text(name, most=200)
        if value is not None and value not in words:
            raise self.wrong(name, f"one of {', '.join(words)}")
        return value

    def needed_choice(self, name: str, words: Collection[str]) -> str:
        """The same, which has to be there."""
        value = self.choice(name, words)
        if value is None:
            raise self.wrong(name, f"one of {', '.join(words)}")
        return value

    def object(self, name: str) -> Fields | None:
        """An object."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return self.within(value, name)

    def needed_object(self, name: str) -> Fields:
        """The same, which has to be there."""
        value = self.object(name)
        if value is None:
            raise self.wrong(name, "an object")
        return value

    def list(self, name: str, *, most: int) -> Sequence[Any] | None:
        """A list of at most so many."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        if len(value) > most:
            raise self.wrong(name, f"a list of at most {most}")
        return value

    def within(self, value: Mapping[str, Any], name: str) -> Fields:
        """The fields of an object in this one, at this place."""
        return Fields(value, self.place(name))

    def objects(self, name: str, *, most: int, least: int = 0) -> Iterator[Fields]:
        """A list of objects, so many at least; nothing where it is not there and need not be."""
        given = self.list(name, most=most) or ()
        if len(given) < least:
            raise self.wrong(name, f"a list of {least} at least")
        for number, value in enumerate(given):
            at = f"{self.place(name)}[{number}]"
            if not isinstance(value, dict):
                raise Refusal(f"{at} must be an object", param=at, code="invalid_type")
            yield self.within(value, f"{name}[{number}]")

    def texts(self, name: str, *, most: int, chars: int) -> tuple[str, ...]:
        """A text, or a list of texts; nothing where it is not there."""
        value = self.data.get(name)
        given = [value] if isinstance(value, str) else self.list(name, most=most) or []
        for each in given:
            if not isinstance(each, str) or len(each) > chars:
                raise self.wrong(name, f"a text, or a list of texts, of at most {chars} characters")
        return tuple(given)
