"""What the grammars of schemas are made of: rules that all have, and which words are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from qwq_gguf.serve.refusal import Refusal

__all__ = [
    "BASE",
    "FORMATS",
    "KNOWN",
    "MOST_CHARS",
    "QUOTED_KINDS",
    "SAYS_NOTHING",
    "bounds_of",
    "check_only",
    "least_of",
    "literal",
    "quoted",
    "quoted_base",
    "refusal",
    "times_of",
]

MOST_CHARS = 1000

BASE = r"""
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

FORMATS = {
    "date": "date",
    "time": "time",
    "date-time": 'date "T" time',
    "uuid": "uuid",
}
# fmt: off
SAYS_NOTHING = frozenset((
    "title", "description", "default", "examples", "example", "deprecated", "readOnly",
    "writeOnly", "discriminator", "nullable", "$schema", "$id", "$comment", "$defs", "$anchor",
    "definitions",
))
# fmt: on
KNOWN = {
    "object": frozenset(("properties", "required", "additionalProperties")),
    "array": frozenset(("items", "minItems", "maxItems", "prefixItems", "uniqueItems")),
    "string": frozenset(("minLength", "maxLength", "format")),
    "integer": frozenset(("minimum", "exclusiveMinimum")),
    "number": frozenset(("minimum", "exclusiveMinimum")),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
}
# What `quoted_base` has rules of its own for.
QUOTED_KINDS = frozenset(("value", "object", "array", "string", "char", "name"))


def quoted_base(quote: str) -> str:
    """Rules for values whose texts stand as they are between two of `quote` (`<...>`)."""
    mark, begins, second = quoted(quote), quote[0], quote[1]
    return "\n".join(
        (
            f'q-char ::= [^{begins}] | "{begins}" [^{second}]',
            f"q-string ::= {mark} q-char* {mark}",
            "q-name ::= [a-zA-Z0-9_.-]{1,64}",
            "q-value ::= q-object | q-array | q-string | number | boolean | null",
            'q-object ::= "{" ws (q-member ("," ws q-member)*)? "}"',
            'q-member ::= q-name ":" ws q-value ws',
            'q-array ::= "[" ws (q-value ws ("," ws q-value ws)*)? "]"',
        )
    )


def literal(value: Any, at: str, quote: str = "") -> str:
    """A JSON value as a text of the grammar; with a `quote`, as `quoted_base` has values."""
    if quote:
        text = _between(value, quote)
        if len(text) > MOST_CHARS or (isinstance(value, str) and quote in value):
            raise refusal(at, f"a value of more than {MOST_CHARS} characters, or with {quote}")
        return quoted(text)
    if isinstance(value, float) and value == int(value):
        value = int(value)
    text = json.dumps(value, ensure_ascii=True)
    if len(text) > MOST_CHARS:
        raise refusal(at, f"a value of more than {MOST_CHARS} characters")
    return quoted(text)


def _between(value: Any, quote: str) -> str:
    if isinstance(value, str):
        return f"{quote}{value}{quote}"
    if isinstance(value, list):
        return f"[{','.join(_between(each, quote) for each in value)}]"
    if isinstance(value, Mapping):
        said = (f"{name}:{_between(each, quote)}" for name, each in value.items())
        return f"{{{','.join(said)}}}"
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return json.dumps(value)


def quoted(text: str) -> str:
    """A text as one of the grammar."""
    for raw, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(raw, escaped)
    return f'"{text}"'


def times_of(schema: Mapping[str, Any], least: str, most: str, at: str, limit: int) -> str | None:
    """How often characters may come, as a grammar says it."""
    low, high = bounds_of(schema, least, most, at, limit)
    if low == 0 and high is None:
        return None
    return f"{{{low},{'' if high is None else high}}}"


def bounds_of(
    schema: Mapping[str, Any], least: str, most: str, at: str, limit: int
) -> tuple[int, int | None]:
    """The least and the most of a count."""
    low, high = schema.get(least, 0), schema.get(most)
    for word, bound in ((least, low), (most, 0 if high is None else high)):
        if not isinstance(bound, int) or isinstance(bound, bool) or not 0 <= bound <= limit:
            raise refusal(f"{at}.{word}", f"it must be a whole number, {limit} at most")
    if high is not None and high < low:
        raise refusal(f"{at}.{most}", f"it is less than {least}")
    return low, high


def least_of(schema: Mapping[str, Any], at: str) -> tuple[float, bool] | None:
    """The lower bound of a number, and whether it is excluded."""
    for word in ("minimum", "exclusiveMinimum"):
        value = schema.get(word)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise refusal(f"{at}.{word}", "it must be a number")
    if "minimum" in schema and "exclusiveMinimum" in schema:
        raise refusal(at, "minimum and exclusiveMinimum: one of them")
    if "minimum" in schema:
        return schema["minimum"], False
    return (schema["exclusiveMinimum"], True) if "exclusiveMinimum" in schema else None


def check_only(schema: Mapping[str, Any], known: Sequence[str] | frozenset[str], at: str) -> None:
    """Refusal where there is any word but these."""
    for word in schema:
        if word not in known:
            raise refusal(f"{at}.{word[:60]}", "a grammar of the answer cannot express it here")


def refusal(at: str, why: str) -> Refusal:
    """What cannot be expressed, and where."""
    return Refusal(f"{at[:200]}: {why}", param=at[:200], code="unsupported_schema")
