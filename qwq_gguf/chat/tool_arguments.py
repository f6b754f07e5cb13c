"""A call's arguments held against the JSON schema of its tool.

Models put quotes where none belong and leave them out, and some formats write every value as
text. What such a value means is clear where the schema wants one kind only, so it is made into
that:

    wanted            taken as well
    integer           a text of digits ("12"), a number without a fraction (12.0)
    number            a text that is a JSON number ("2.5", "1e3"), never 1e999 or NaN
    boolean           "true" and "false" in any case
    string            a number (12 becomes "12")
    array, object     a text that is one in JSON
    null, or nothing  "null" and "None" where no text is wanted; null for what may be left out

All else is a mistake that the model is told, with the names or values there are. Of JSON schema
there is what tools use: type, enum, const, properties, required, additionalProperties, items,
anyOf, oneOf, the bounds of numbers and lengths. What else a schema says is the tool's to check.
An argument that the schema does not name is refused, unless it has no `properties` at all or
says `additionalProperties`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

from qwq_gguf.chat.loose_json import MAX_DIGITS, MAX_NESTING, read_json
from qwq_gguf.words import did_you_mean

__all__ = ["ArgumentError", "fitted"]

Schema: TypeAlias = Mapping[str, Any]
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d{1,4})?", re.ASCII)
_NOT_GIVEN = object()
_SHOWN = 12  # names and values in a message


class ArgumentError(ValueError):
    """What is wrong with the arguments, in words for the model that wrote them."""


def fitted(arguments: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The arguments as the schema wants them. ArgumentError where they cannot be."""
    return _object(arguments, schema, "", MAX_NESTING)


def _object(value: Mapping[str, Any], schema: Schema, at: str, depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    known: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    required = schema.get("required")
    needed = [name for name in required if isinstance(name, str)] if _listed(required) else []
    more = schema.get("additionalProperties", not known)
    made: dict[str, Any] = {}
    for name, given in value.items():
        place = f"{at}.{name}" if at else str(name)
        if name in known:
            if name not in needed and _is_nothing(given, known[name]):
                continue
            made[name] = _value(given, known[name], place, depth - 1)
        elif isinstance(more, Mapping):
            made[name] = _value(given, more, place, depth - 1)
        elif more:
            made[name] = given
        else:
            raise ArgumentError(_unknown(str(name), known, at))
    for name in needed:
        if name not in made:
            raise ArgumentError(f"the argument {f'{at}.{name}' if at else name} is missing")
    return made


def _unknown(name: str, known: Mapping[str, Any], at: str) -> str:
    near = did_you_mean(name, known)
    where = f" in {at}" if at else ""
    there = ", ".join(list(known)[:_SHOWN]) or "none"
    said = f"there is no argument {name[:100]}{where}"
    return f"{said}; {near}" if near else f"{said}; there are: {there}"


def _value(value: Any, schema: Any, at: str, depth: int) -> Any:
    if depth < 0:
        raise ArgumentError(f"the argument {at} is nested too deeply")
    if not isinstance(schema, Mapping):
        return value
    for word in ("anyOf", "oneOf"):
        if _listed(schema.get(word)):
            return _any_of(value, schema[word], at, depth)
    kinds = _kinds(schema)
    if kinds:
        value = _of_a_kind(value, kinds, schema, at)
    if "enum" in schema and _listed(schema["enum"]):
        value = _one_of(value, schema["enum"], at)
    if "const" in schema and not _same(value, schema["const"]):
        raise ArgumentError(f"the argument {at} must be {_json(schema['const'])}")
    _check_bounds(value, schema, at)
    if isinstance(value, Mapping):
        return _object(value, schema, at, depth)
    if isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        items = schema["items"]
        return [_value(each, items, f"{at}[{n}]", depth - 1) for n, each in enumerate(value)]
    return value


def _any_of(value: Any, schemas: Sequence[Any], at: str, depth: int) -> Any:
    """As the first of the schemas has it that takes the value as it is, or else made to fit."""
    first: ArgumentError | None = None
    fits: list[Any] = []
    for each in schemas:
        try:
            found = _value(value, each, at, depth - 1)
        except ArgumentError as error:
            first = first or error
            continue
        if _same(found, value):
            return found
        fits.append(found)
    if fits:
        return fits[0]
    raise first or ArgumentError(f"the argument {at} has a value that is not allowed")


def _kinds(schema: Schema) -> tuple[str, ...]:
    kind = schema.get("type")
    kinds = [kind] if isinstance(kind, str) else kind if _listed(kind) else []
    return tuple(each for each in kinds if isinstance(each, str) and each in _IS)


def _allows(schema: Any, kind: str, depth: int = MAX_NESTING) -> bool:
    if not isinstance(schema, Mapping):
        return True
    if "enum" in schema and _listed(schema["enum"]):
        return any(_IS[kind](each) for each in schema["enum"])
    inner = [word for word in ("anyOf", "oneOf") if _listed(schema.get(word))]
    if inner and depth > 0:
        return any(_allows(each, kind, depth - 1) for word in inner for each in schema[word])
    kinds = _kinds(schema)
    return not kinds or kind in kinds


def _of_a_kind(value: Any, kinds: Sequence[str], schema: Schema, at: str) -> Any:
    if any(_IS[kind](value) for kind in kinds):
        return int(value) if isinstance(value, float) and "number" not in kinds else value
    for kind in kinds:
        made = _MADE[kind](value) if kind in _MADE else _NOT_GIVEN
        if made is not _NOT_GIVEN:
            return made
    raise ArgumentError(f"the argument {at} must be of the type {' or '.join(kinds)}")


def _is_nothing(value: Any, schema: Any) -> bool:
    """Null where the schema has no null: the same as not given."""
    if value in ("null", "None"):
        return not _allows(schema, "string") and not _allows(schema, "null")
    return value is None and not _allows(schema, "null")


def _one_of(value: Any, values: Sequence[Any], at: str) -> Any:
    for each in values:
        if _same(value, each):
            return each
    shown = ", ".join(map(_json, values[:_SHOWN])) + (" ..." if len(values) > _SHOWN else "")
    near = None
    if isinstance(value, str):
        near = did_you_mean(value[:100], [each for each in values if isinstance(each, str)])
    raise ArgumentError(
        f"the argument {at} must be one of [{shown}]" + (f"; {near}" if near else "")
    )


def _check_bounds(value: Any, schema: Schema, at: str) -> None:
    size: float
    if isinstance(value, int | float) and not isinstance(value, bool):
        size, words, what = value, ("minimum", "maximum"), ""
        if _is_number(below := schema.get("exclusiveMinimum")) and value <= below:
            raise ArgumentError(f"the argument {at} must be more than {below}")
        if _is_number(above := schema.get("exclusiveMaximum")) and value >= above:
            raise ArgumentError(f"the argument {at} must be less than {above}")
    elif isinstance(value, str):
        size, words, what = len(value), ("minLength", "maxLength"), " characters long"
    elif isinstance(value, list):
        size, words, what = len(value), ("minItems", "maxItems"), " items long"
    else:
        return
    least, most = (schema.get(word) for word in words)
    if _is_number(least) and size < least:
        raise ArgumentError(f"the argument {at} must be at least {least}{what}")
    if _is_number(most) and size > most:
        raise ArgumentError(f"the argument {at} may be at most {most}{what}")


def _same(value: Any, other: Any) -> bool:
    return bool(value == other) and isinstance(value, bool) is isinstance(other, bool)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    if isinstance(value, float):
        return value.is_integer() and abs(value) < 2**53
    return isinstance(value, int) and not isinstance(value, bool)


def _listed(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:100]


_IS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _is_whole,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
    "null": lambda value: value is None,
}


def _made_number(value: Any) -> Any:
    if not isinstance(value, str):
        return _NOT_GIVEN
    text = value.strip()
    if len(text) > MAX_DIGITS or not _NUMBER.fullmatch(text):
        return _NOT_GIVEN
    if set(text) & set(".eE"):
        number = float(text)
        return number if math.isfinite(number) else _NOT_GIVEN
    return int(text)


def _made_whole(value: Any) -> Any:
    number = _made_number(value)
    return int(number) if number is not _NOT_GIVEN and _is_whole(number) else _NOT_GIVEN


def _made_boolean(value: Any) -> Any:
    said = value.strip().casefold() if isinstance(value, str) and len(value) < 10 else ""
    return said == "true" if said in ("true", "false") else _NOT_GIVEN


def _made_text(value: Any) -> Any:
    return str(value) if _is_number(value) else _NOT_GIVEN


def _made_of_json(kind: type) -> Callable[[Any], Any]:
    def made(value: Any) -> Any:
        if not isinstance(value, str):
            return list(value) if kind is list and isinstance(value, tuple) else _NOT_GIVEN
        try:
            found, end = read_json(value.strip())
        except (ValueError, IndexError):
            return _NOT_GIVEN
        whole = end == len(value.strip()) and isinstance(found, kind)
        return found if whole else _NOT_GIVEN

    return made


_MADE: dict[str, Callable[[Any], Any]] = {
    "integer": _made_whole,
    "number": _made_number,
    "boolean": _made_boolean,
    "array": _made_of_json(list),
    "object": _made_of_json(dict),
    "string": _made_text,
    "null": lambda value: None if value in ("null", "None") else _NOT_GIVEN,
}
