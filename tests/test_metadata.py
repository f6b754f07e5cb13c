"""Metadata values refuse what their type cannot hold."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.metadata import (
    KeyValue,
    ValueType,
    array,
    boolean,
    f32,
    shortest_float32,
    text,
    text_bytes,
    u32,
)


@pytest.mark.parametrize("value", [-1, 2**32, True, 1.0, "1", None])
def test_a_u32_holds_only_its_range(value: object) -> None:
    with pytest.raises(ValueError, match="uint32"):
        u32("key", value)  # type: ignore[arg-type]


def test_a_f32_holds_what_four_bytes_can() -> None:
    assert f32("key", 0.6).value == 0.6000000238418579
    assert f32("key", 1).value == 1.0
    assert math.isinf(f32("key", math.inf).scalar)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="too large"):
        f32("key", 1e39)


def test_keys_have_a_length() -> None:
    with pytest.raises(ValueError, match="1 to 65535"):
        text("", "x")
    with pytest.raises(ValueError, match="1 to 65535"):
        text("k" * 65536, "x")


def test_arrays_are_checked_element_by_element() -> None:
    assert array("key", ValueType.FLOAT32, [0.5, 2]).items == (0.5, 2.0)
    with pytest.raises(ValueError, match=r"key\[1\]"):
        array("key", ValueType.INT32, [1, 2**31])
    with pytest.raises(ValueError, match="array of arrays"):
        array("key", ValueType.ARRAY, [])
    with pytest.raises(ValueError, match="only an array"):
        KeyValue("key", ValueType.UINT32, 1, ValueType.UINT32)


@pytest.mark.parametrize(
    ("element", "bad"),
    [
        (ValueType.UINT8, 256),
        (ValueType.UINT8, True),
        (ValueType.INT32, 2**31),
        (ValueType.UINT64, -1),
        (ValueType.FLOAT32, 1),
        (ValueType.FLOAT32, 1e39),
        (ValueType.FLOAT64, "1"),
        (ValueType.BOOL, 1),
        (ValueType.STRING, b"a"),
    ],
)
def test_an_array_of_any_making_is_checked(element: ValueType, bad: object) -> None:
    others: dict[ValueType, Any] = {ValueType.STRING: "a", ValueType.BOOL: True}
    floats = (ValueType.FLOAT32, ValueType.FLOAT64)
    good = 1.0 if element in floats else others.get(element, 1)
    items: list[Any] = [good, bad]
    for made in (items, tuple(items)):
        assert KeyValue("key", ValueType.ARRAY, made[:1], element).items
        with pytest.raises(ValueError, match=r"key\[1\]"):
            KeyValue("key", ValueType.ARRAY, made, element)


@pytest.mark.parametrize("value", ["text", 5, None, True])
def test_what_is_no_array(value: object) -> None:
    with pytest.raises(ValueError, match="is not an array"):
        KeyValue("key", ValueType.ARRAY, value, ValueType.STRING)  # type: ignore[arg-type]


def test_a_float32_has_a_range() -> None:
    assert KeyValue("key", ValueType.FLOAT32, 3.4028235677973362e38).value == 3.4028235677973362e38
    assert KeyValue("key", ValueType.FLOAT32, math.inf).value == math.inf
    with pytest.raises(ValueError, match="not a float32"):
        KeyValue("key", ValueType.FLOAT32, 1e39)


def test_scalars_and_arrays_are_told_apart() -> None:
    assert boolean("key", True).scalar is True
    with pytest.raises(ValueError, match="not an array"):
        _ = boolean("key", True).items
    with pytest.raises(ValueError, match="is an array"):
        _ = array("key", ValueType.UINT8, [1]).scalar


@given(st.floats(width=32, allow_nan=False))
def test_the_shortest_float_is_the_same_float32(value: float) -> None:
    assert f32("key", shortest_float32(value)).value == value


def test_the_shortest_float_is_what_people_wrote() -> None:
    written = [0.6, 0.95, 1e-5, 1e6, 0.01, 131072.0]
    stored = [f32("key", value).scalar for value in written]
    assert [shortest_float32(float(value)) for value in stored] == written


@given(st.binary())
def test_any_bytes_survive_as_text(raw: bytes) -> None:
    assert text_bytes(raw.decode("utf-8", "surrogateescape")) == raw
