"""JSON schemas as grammars: every text of the grammar is a JSON value that fits the schema.

The other way it need not hold: an object gets its properties in the order of the schema and no
others, and between tokens there is a blank or a line end at most. Descriptions and defaults say
nothing here. `oneOf` is read as `anyOf`. What a grammar cannot hold (patterns, most bounds of
numbers, conditions) is refused by its name, never left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.refusal import Refusal

__all__ = ["ANY_OBJECT", "grammar_of"]

_BASE = r"""
ws ::= | " " | "\n" [ \t]{0,20}
hex ::= [0-9a-fA-F]
unit ::= [0-9a-cA-CefEF] hex hex hex | [dD] [0-7] hex hex
char ::= [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt/] | "u" unit)
string ::= "\"" char* "\""
whole ::= "0" | [1-9] [0-9]{0,15}
positive ::= [1-9] [0-9]{0,15}
integer ::= "-"? whole
number ::= "-"? magnitude
magnitude ::= whole ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?
boolean ::= "true" | "false"
null ::= "null"
value ::= object | array | string | number | boolean | null
object ::= "{" ws (member ("," ws member)*)? "}"
member ::= string ":" ws value ws
array ::= "[" ws (value ws ("," ws value ws)*)? "]"
day ::= "0" [1-9] | [12] [0-9] | "3" [01]
month ::= "0" [1-9] | "1" [0-2]
hour ::= [01] [0-9] | "2" [0-3]
minute ::= [0-5] [0-9]
date ::= [0-9]{4} "-" month "-" day
zone ::= "Z" | [-+] hour ":" minute
time ::= hour ":" minute ":" minute ("." [0-9]{1,6})? zone
uuid ::= hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12}
""".strip()

ANY_OBJECT = f"root ::= object\n{_BASE}"

_FORMATS = {
    "date": "date",
    "time": "time",
    "date-time": 'date "T" time',
    "uuid": "uuid",
}
# fmt: off
_SAYS_NOTHING = frozenset((
    "title", "description", "default", "examples", "example", "deprecated", "readOnly",
    "writeOnly", "discriminator", "nullable", "$schema", "$id", "$comment", "$defs", "$anchor",
    "definitions",
))
# fmt: on
_KNOWN = {
    "object": frozenset(("properties", "required", "additionalProperties")),
    "array": frozenset(("items", "minItems", "maxItems", "prefixItems", "uniqueItems")),
    "string": frozenset(("minLength", "maxLength", "format")),
    "integer": frozenset(("minimum", "exclusiveMinimum")),
    "number": frozenset(("minimum", "exclusiveMinimum")),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
}
_ALL_KNOWN = frozenset[str]().union(*_KNOWN.values())
_MOST_ITEMS = 256
_MOST_CHARS = 1000
_MOST_VALUES = 500


def grammar_of(schema: Mapping[str, Any], at: str = "schema") -> str:
    """GBNF of a JSON schema. Refusal that names the place and the word that it cannot express."""
    return _Compiler(schema, at).grammar()


class _Compiler:
    def __init__(self, schema: Mapping[str, Any], at: str) -> None:
        self._schema, self._at = schema, at
        self._rules: list[str] = []
        self._names: dict[str, str] = {}  # of what a $ref names
        self._nodes = 0

    def grammar(self) -> str:
        root = self._rule(self._expression(self._schema, self._at, 0))
        return "\n".join((f"root ::= {root}", *self._rules, _BASE))

    def _rule(self, body: str) -> str:
        name = f"r{len(self._rules)}"
        self._rules.append(f"{name} ::= {body}")
        return name

    def _expression(self, schema: Any, at: str, depth: int) -> str:
        """What stands for a value of this schema; safe to be repeated or joined with others."""
        self._nodes += 1
        if depth > LIMITS.schema_depth or self._nodes > LIMITS.schema_nodes:
            raise _refusal(
                at,
                f"the schema is too large: {LIMITS.schema_depth} levels and "
                f"{LIMITS.schema_nodes} parts are the most",
            )
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, Mapping):
            raise _refusal(
                at, "it must be an object" if schema is not False else "a schema that nothing fits"
            )
        kept = {name: part for name, part in schema.items() if name not in _SAYS_NOTHING}
        if "$ref" in kept:
            _only(kept, ("$ref",), at)
            return self._reference(kept["$ref"], at, depth)
        for word in ("anyOf", "oneOf", "allOf"):
            if word in kept:
                _only(kept, (word, "type"), at)
                return self._several(word, kept[word], f"{at}.{word}", depth)
        if "const" in kept:
            _only(kept, ("const", "type"), at)
            return _literal(kept["const"], at)
        if "enum" in kept:
            _only(kept, ("enum", "type"), at)
            return self._enum(kept["enum"], f"{at}.enum")
        return self._typed(kept, at, depth)

    def _reference(self, name: Any, at: str, depth: int) -> str:
        if not isinstance(name, str) or not name.startswith("#"):
            raise _refusal(at, "a $ref must name a part of the same schema: #/$defs/NAME")
        if name not in self._names:
            found: Any = self._schema
            for step in name[1:].split("/")[1:]:
                step = step.replace("~1", "/").replace("~0", "~")
                if not isinstance(found, Mapping) or step not in found:
                    raise _refusal(at, f"there is no {name[:100]} in the schema")
                found = found[step]
            place = len(self._rules)
            self._names[name] = f"r{place}"
            self._rules.append("")  # its own place, as it may name itself
            body = self._expression(found, name[:100], depth + 1)
            if body == f"r{place}":
                raise _refusal(at, f"{name[:100]} is nothing but itself")
            self._rules[place] = f"r{place} ::= {body}"
        return self._names[name]

    def _several(self, word: str, schemas: Any, at: str, depth: int) -> str:
        if not isinstance(schemas, list) or not 0 < len(schemas) <= _MOST_VALUES:
            raise _refusal(at, "it must be a list of schemas")
        if word == "allOf" and len(schemas) > 1:
            raise _refusal(at, "schemas that have to hold together cannot be expressed")
        made = [self._expression(one, f"{at}[{n}]", depth + 1) for n, one in enumerate(schemas)]
        return self._rule(" | ".join(dict.fromkeys(made)))

    def _enum(self, values: Any, at: str) -> str:
        if not isinstance(values, list) or not 0 < len(values) <= _MOST_VALUES:
            raise _refusal(at, f"it must be a list of 1 to {_MOST_VALUES} values")
        return self._rule(" | ".join(dict.fromkeys(_literal(value, at) for value in values)))

    def _typed(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        kinds = schema.get("type")
        if kinds is None:
            kinds = [kind for kind, words in _KNOWN.items() if words & schema.keys()][:1]
        elif isinstance(kinds, str):
            kinds = [kinds]
        if not isinstance(kinds, list) or any(
            not isinstance(kind, str) or kind not in _KNOWN for kind in kinds
        ):
            raise _refusal(f"{at}.type", f"it must be one of {', '.join(_KNOWN)}")
        if not kinds and schema.keys() - {"type"}:
            raise _refusal(at, f"{sorted(schema)[0][:60]} cannot be expressed")
        if not kinds:
            return "value"
        known = frozenset(("type",)).union(*(_KNOWN[kind] for kind in kinds))
        _only(schema, known, at)
        made = [getattr(self, f"_{kind}")(schema, at, depth) for kind in dict.fromkeys(kinds)]
        return made[0] if len(made) == 1 else self._rule(" | ".join(made))

    def _boolean(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        return "boolean"

    def _null(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        return "null"

    def _string(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        if "format" in schema:
            body = _FORMATS.get(schema["format"]) if isinstance(schema["format"], str) else None
            if body is None or schema.keys() & {"minLength", "maxLength"}:
                known = ", ".join(_FORMATS)
                raise _refusal(f"{at}.format", f"it must be one of {known}, and no length beside")
            return self._rule(rf'"\"" {body} "\""')
        times = _times(schema, "minLength", "maxLength", at, _MOST_CHARS)
        return "string" if times is None else self._rule(rf'"\"" char{times} "\""')

    def _integer(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        match _least(schema, at):
            case None:
                return "integer"
            case (0, False):
                return "whole"
            case (1, False) | (0, True):
                return "positive"
        raise _refusal(f"{at}.minimum", "only 0 or 1 can be expressed")

    def _number(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        match _least(schema, at):
            case None:
                return "number"
            case (0, False):
                return "magnitude"
        raise _refusal(f"{at}.minimum", "only 0 can be expressed, and no exclusive bound")

    def _array(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        if schema.get("uniqueItems"):
            raise _refusal(f"{at}.uniqueItems", "it cannot be expressed")
        if "prefixItems" in schema:
            return self._tuple(schema, at, depth)
        item = self._expression(schema.get("items", True), f"{at}.items", depth + 1)
        least, most = _bounds(schema, "minItems", "maxItems", at, _MOST_ITEMS)
        if most == 0:
            return self._rule('"[" ws "]"')
        more = f'("," ws {item} ws){{{max(0, least - 1)},{"" if most is None else most - 1}}}'
        if least <= 1 and most is None:
            more = f'("," ws {item} ws)*'
        inside = f"{item} ws {more}"
        return self._rule(f'"[" ws {inside if least else f"({inside})?"} "]"')

    def _tuple(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        items = schema["prefixItems"]
        if not isinstance(items, list) or not 0 < len(items) <= _MOST_ITEMS:
            raise _refusal(f"{at}.prefixItems", "it must be a list of schemas")
        if any(schema.get(word, len(items)) != len(items) for word in ("minItems", "maxItems")):
            raise _refusal(at, "a tuple has as many items as its prefixItems")
        made = [
            self._expression(item, f"{at}.prefixItems[{n}]", depth + 1)
            for n, item in enumerate(items)
        ]
        return self._rule('"[" ws ' + ' ws "," ws '.join(made) + ' ws "]"')

    def _object(self, schema: Mapping[str, Any], at: str, depth: int) -> str:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        more = schema.get("additionalProperties", not properties)
        if not isinstance(properties, Mapping):
            raise _refusal(f"{at}.properties", "it must be an object")
        if not isinstance(required, list) or any(name not in properties for name in required):
            raise _refusal(f"{at}.required", "it must name some of the properties")
        if not properties:
            if more is False:
                return self._rule('"{" ws "}"')
            value = self._expression(more, f"{at}.additionalProperties", depth + 1)
            member = f'string ":" ws {value} ws'
            return self._rule(f'"{{" ws ({member} ("," ws {member})*)? "}}"')
        members = [
            f'{_literal(name, at)} ":" ws '
            + self._expression(part, f"{at}.properties.{name[:60]}", depth + 1)
            + " ws"
            for name, part in properties.items()
        ]
        return self._members(members, [name in required for name in properties])

    def _members(self, members: Sequence[str], needed: Sequence[bool]) -> str:
        """An object of these members in order, of which those not needed may be left out."""
        rules = [self._rule(member) for member in members]
        tail, first = "", ""  # what may follow a member; what may begin the object
        for rule, need in zip(reversed(rules), reversed(needed), strict=True):
            begins = f"{rule} {tail}".strip()
            if need:
                first = begins
            else:
                first = f"{begins} | {first}" if first else begins
            follows = f'"," ws {rule}'
            if not need:
                follows = f"({follows})?"
            tail = self._rule(f"{follows} {tail}".strip())
        inside = first if any(needed) else f"({first})?"
        return self._rule(f'"{{" ws ({inside}) "}}"')


def _literal(value: Any, at: str) -> str:
    """A JSON value as a text of the grammar."""
    if isinstance(value, float) and value == int(value):
        value = int(value)
    text = json.dumps(value, ensure_ascii=True)
    if len(text) > _MOST_CHARS:
        raise _refusal(at, f"a value of more than {_MOST_CHARS} characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _times(schema: Mapping[str, Any], least: str, most: str, at: str, limit: int) -> str | None:
    low, high = _bounds(schema, least, most, at, limit)
    if low == 0 and high is None:
        return None
    return f"{{{low},{'' if high is None else high}}}"


def _bounds(
    schema: Mapping[str, Any], least: str, most: str, at: str, limit: int
) -> tuple[int, int | None]:
    low, high = schema.get(least, 0), schema.get(most)
    for word, bound in ((least, low), (most, 0 if high is None else high)):
        if not isinstance(bound, int) or isinstance(bound, bool) or not 0 <= bound <= limit:
            raise _refusal(f"{at}.{word}", f"it must be a whole number, {limit} at most")
    if high is not None and high < low:
        raise _refusal(f"{at}.{most}", f"it is less than {least}")
    return low, high


def _least(schema: Mapping[str, Any], at: str) -> tuple[float, bool] | None:
    """The lower bound of a number, and whether it is excluded."""
    for word in ("minimum", "exclusiveMinimum"):
        value = schema.get(word)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise _refusal(f"{at}.{word}", "it must be a number")
    if "minimum" in schema and "exclusiveMinimum" in schema:
        raise _refusal(at, "minimum and exclusiveMinimum: one of them")
    if "minimum" in schema:
        return schema["minimum"], False
    return (schema["exclusiveMinimum"], True) if "exclusiveMinimum" in schema else None


def _only(schema: Mapping[str, Any], known: Sequence[str] | frozenset[str], at: str) -> None:
    for word in schema:
        if word not in known:
            raise _refusal(f"{at}.{word[:60]}", "a grammar of the answer cannot express it here")


def _refusal(at: str, why: str) -> Refusal:
    return Refusal(f"{at[:200]}: {why}", param=at[:200], code="unsupported_schema")
