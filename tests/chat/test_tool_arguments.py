"""A call's arguments and the schema of its tool: what is made to fit, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.chat.tool_arguments import ArgumentError, fitted

TRIP = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 2, "maxLength": 20},
        "nights": {"type": "integer", "minimum": 1, "exclusiveMaximum": 30},
        "price": {"type": "number"},
        "pets": {"type": "boolean"},
        "board": {"enum": ["none", "half", "full"]},
        "guests": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "from": {
            "type": "object",
            "properties": {"day": {"type": "integer"}, "month": {"type": "string"}},
            "required": ["day"],
        },
        "room": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "note": {"type": ["string", "null"]},
        "any": {},
    },
    "required": ["city"],
}


@pytest.mark.parametrize(
    ("name", "given_value", "value"),
    [
        ("city", 12, "12"),
        ("city", "null", "null"),
        ("nights", "3", 3),
        ("nights", 3.0, 3),
        ("nights", "3.0", 3),
        ("price", "2.5", 2.5),
        ("price", "1e3", 1000.0),
        ("price", "7", 7),
        ("price", 7, 7),
        ("pets", "True", True),
        ("pets", "false", False),
        ("board", "half", "half"),
        ("guests", '["a", "b"]', ["a", "b"]),
        ("guests", "['a']", ["a"]),
        ("guests", [1, "b"], ["1", "b"]),
        ("from", '{"day": "4"}', {"day": 4}),
        ("room", "7", "7"),
        ("room", 7, 7),
        ("room", "first", "first"),
        ("note", None, None),
        ("any", {"x": [1]}, {"x": [1]}),
    ],
)
def test_what_has_one_meaning_is_made_to_fit(name: str, given_value: Any, value: Any) -> None:
    made = fitted({"city": "Rome", name: given_value}, TRIP)
    assert made[name] == value
    assert type(made[name]) is type(value)
    assert fitted(made, TRIP) == made


@pytest.mark.parametrize("nothing", [None, "null", "None"])
def test_null_for_what_may_be_left_out_is_left_out(nothing: Any) -> None:
    assert fitted({"city": "Rome", "nights": nothing}, TRIP) == {"city": "Rome"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "the argument city is missing"),
        ({"city": None}, "city must be of the type string"),
        ({"city": "R"}, "at least 2 characters long"),
        ({"city": "R" * 21}, "at most 20 characters long"),
        ({"city": True}, "city must be of the type string"),
        ({"city": ["Rome"]}, "city must be of the type string"),
        ({"citi": "Rome"}, "there is no argument citi; did you mean city?"),
        ({"city": "Rome", "xyz": 1}, "no argument xyz; there are: city, nights"),
        ({"city": "Rome", "nights": 0}, "at least 1"),
        ({"city": "Rome", "nights": 30}, "less than 30"),
        ({"city": "Rome", "nights": "3 or 4"}, "nights must be of the type integer"),
        ({"city": "Rome", "nights": 2.5}, "nights must be of the type integer"),
        ({"city": "Rome", "nights": True}, "nights must be of the type integer"),
        ({"city": "Rome", "price": "1e999"}, "price must be of the type number"),
        ({"city": "Rome", "price": "NaN"}, "price must be of the type number"),
        ({"city": "Rome", "price": "9" * 5000}, "price must be of the type number"),
        ({"city": "Rome", "price": "0x10"}, "price must be of the type number"),
        ({"city": "Rome", "pets": "yes"}, "pets must be of the type boolean"),
        ({"city": "Rome", "pets": 1}, "pets must be of the type boolean"),
        ({"city": "Rome", "board": "ful"}, 'one of ["none", "half", "full"]; did you mean full?'),
        ({"city": "Rome", "guests": "a"}, "guests must be of the type array"),
        ({"city": "Rome", "guests": ["a", {}]}, "guests[1] must be of the type string"),
        ({"city": "Rome", "guests": ["a", "b", "c"]}, "at most 2 items long"),
        ({"city": "Rome", "from": {}}, "the argument from.day is missing"),
        ({"city": "Rome", "from": {"day": 1, "mont": "x"}}, "no argument mont in from; did you"),
        ({"city": "Rome", "from": "[" * 5000}, "from must be of the type object"),
        ({"city": "Rome", "room": []}, "room must be of the type integer"),
    ],
)
def test_what_is_wrong_is_said(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        fitted(arguments, TRIP)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_tool_may_leave_its_names_open() -> None:
    assert fitted({"a": 1}, {"type": "object", "properties": {}}) == {"a": 1}
    assert fitted({"a": 1}, {}) == {"a": 1}
    numbers = {"properties": {"b": {}}, "additionalProperties": {"type": "integer"}}
    assert fitted({"a": "1", "b": "1"}, numbers) == {"a": 1, "b": "1"}
    with pytest.raises(ArgumentError, match="a must be of the type integer"):
        fitted({"a": "x"}, numbers)
    with pytest.raises(ArgumentError, match="no argument a; there are: none"):
        fitted({"a": 1}, {"properties": {}, "additionalProperties": False})


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*TRIP["properties"], "other"]), JSON))
def test_the_result_fits_or_the_mistake_is_told(arguments: dict[str, Any]) -> None:
    try:
        made = fitted(arguments, TRIP)
    except ArgumentError:
        return
    assert fitted(made, TRIP) == made
    assert set(made) <= set(arguments)
    assert isinstance(made["city"], str)
    assert made.get("board", "none") in ("none", "half", "full")


@given(JSON, JSON)
def test_no_schema_and_no_value_raises_anything_else(value: Any, schema: Any) -> None:
    """A tool's schema is its author's, who makes mistakes as well."""
    try:
        fitted({"a": value}, {"properties": {"a": {"type": schema, "enum": schema}, "b": schema}})
    except ArgumentError:
        pass
