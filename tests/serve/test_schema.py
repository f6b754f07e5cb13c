"""JSON schemas as grammars: what fits is allowed, what does not is not, the rest is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwq_gguf.sampling import Grammar
from qwq_gguf.sampling.gbnf_recogniser import Recogniser
from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.schema import ANY_OBJECT, grammar_of


def takes(grammar: str, text: str) -> bool:
    recogniser = Recogniser(Grammar(grammar).rules)
    reading = recogniser.read(recogniser.begin(), text.encode())
    return reading is not None and reading.complete


TREE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "kids": {"type": "array", "items": {"$ref": "#"}},
    },
    "required": ["name"],
}
OPTIONAL = {
    "type": "object",
    "properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}},
}


@pytest.mark.parametrize(
    "schema, good, bad",
    [
        ({"type": "integer"}, ["0", "-12"], ["1.5", "01", '"1"']),
        ({"type": "integer", "minimum": 0}, ["0", "7"], ["-1"]),
        ({"type": "integer", "exclusiveMinimum": 0}, ["7"], ["0", "-1"]),
        ({"type": "number"}, ["0", "-1.5", "2e-3"], ["1.", ".5", "NaN"]),
        ({"type": "boolean"}, ["true", "false"], ["True", "1"]),
        ({"type": "null"}, ["null"], ["None"]),
        ({"type": "string"}, ['""', r'"a\n\u00e9"', '"\u20ac"'], ["'a'", '"\n"', r'"\ud800"']),
        ({"type": "string", "minLength": 1, "maxLength": 2}, ['"a"', '"ab"'], ['""', '"abc"']),
        ({"type": "string", "format": "date"}, ['"2026-11-26"'], ['"26.11."', '"2026-13-01"']),
        ({"enum": ["a", 'b"\n', 3, None]}, ['"a"', json.dumps('b"\n'), "3", "null"], ['"b"']),
        ({"type": ["string", "null"]}, ['"a"', "null"], ["1"]),
        ({"anyOf": [{"type": "integer"}, {"type": "boolean"}]}, ["1", "true"], ['""']),
        ({"type": "array", "items": {"type": "integer"}}, ["[]", "[1, 2]"], ["[true]", "[1,]"]),
        (
            {"type": "array", "items": {"const": 1}, "minItems": 2, "maxItems": 3},
            ["[1,1]", "[1,1,1]"],
            ["[1]", "[1,1,1,1]"],
        ),
        ({"type": "array", "items": {"const": 1}, "minItems": 1}, ["[1]", "[1,1,1]"], ["[]"]),
        ({"type": "array", "maxItems": 0}, ["[]"], ["[1]"]),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}]}, ["[1, 2]"], ["[1]"]),
        (
            OPTIONAL,
            ["{}", '{"a":1}', '{"b":2}', '{"a":1,"c":3}', '{"b": 2, "c": 3}'],
            ['{"c":3,"a":1}', '{"a":2}', '{,"b":2}', '{"a":1,}', '{"d":1}'],
        ),
        (
            OPTIONAL | {"required": ["b"]},
            ['{"b":2}', '{"a":1,"b":2}', '{"b":2,"c":3}'],
            ["{}", '{"a":1}', '{"a":1,"c":3}'],
        ),
        (
            OPTIONAL | {"required": ["a", "c"]},
            ['{"a":1,"c":3}', '{"a":1,"b":2,"c":3}'],
            ['{"a":1}', '{"c":3}'],
        ),
        (TREE, ['{"name":"a","kids":[{"name":"b","kids":[]}]}'], ['{"kids":[]}', '{"name":1}']),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            ["{}", '{"a": 1, "b": 2}'],
            ['{"a": "x"}'],
        ),
        ({"type": "object", "additionalProperties": False}, ["{}"], ['{"a":1}']),
        ({}, ["1", '{"a":[1,{}]}'], ["{", "nope"]),
    ],
)
def test_the_answers_of_a_schema(schema: dict[str, Any], good: list[str], bad: list[str]) -> None:
    grammar = grammar_of(schema)
    for text in good:
        json.loads(text)
        assert takes(grammar, text), text
    for text in bad:
        assert not takes(grammar, text), text


def test_any_object() -> None:
    assert takes(ANY_OBJECT, '{"a": [1, {"b": null}],\n  "c": "d"}')
    assert not takes(ANY_OBJECT, "[1]")


@pytest.mark.parametrize(
    "schema, at",
    [
        ({"type": "string", "pattern": "a+"}, "schema.pattern"),
        ({"type": "integer", "maximum": 7}, "schema.maximum"),
        ({"type": "integer", "minimum": 7}, "schema.minimum"),
        ({"type": "number", "multipleOf": 2}, "schema.multipleOf"),
        ({"type": "string", "format": "email"}, "schema.format"),
        ({"type": "array", "uniqueItems": True}, "schema.uniqueItems"),
        ({"type": "array", "contains": {}}, "schema.contains"),
        ({"allOf": [{"type": "object"}, {"type": "object"}]}, "schema.allOf"),
        ({"not": {"type": "string"}}, "schema"),
        ({"if": {}, "type": "object"}, "schema.if"),
        ({"type": "object", "properties": {"a": {"type": "frob"}}}, "schema.properties.a.type"),
        ({"type": "object", "properties": {"a": 3}}, "schema.properties.a"),
        ({"type": "object", "properties": {}, "required": ["a"]}, "schema.required"),
        ({"$ref": "#/$defs/none"}, "schema"),
        ({"$ref": "http://example.org/schema"}, "schema"),
        ({"$ref": "file:///etc/passwd"}, "schema"),
        ({"$ref": "#"}, "schema"),
        ({"enum": []}, "schema.enum"),
        ({"enum": list(range(1000))}, "schema.enum"),
        ({"type": "string", "maxLength": 10**9}, "schema.maxLength"),
        ({"type": "string", "minLength": -1}, "schema.minLength"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "schema.maxItems"),
        ({"const": "x" * 2000}, "schema"),
    ],
)
def test_what_cannot_be_expressed_is_refused(schema: dict[str, Any], at: str) -> None:
    with pytest.raises(Refusal) as caught:
        grammar_of(schema)
    assert caught.value.param == at
    assert caught.value.code == "unsupported_schema"


def test_depth_and_size_are_bounded() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Refusal, match="too large"):
        grammar_of(deep)
    wide = {"type": "object", "properties": {f"p{n}": {} for n in range(3000)}}
    with pytest.raises(Refusal, match="too large"):
        grammar_of(wide)
