"""--override-kv and its rules."""

from __future__ import annotations

import pytest

from qwq_gguf.convert import parse_override
from qwq_gguf.convert.overrides import apply_overrides
from qwq_gguf.errors import ConfigError
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, f32, i32, text, u32

METADATA = (text("general.name", "a"), u32("qwen2.context_length", 10), f32("x.y", 0.5))


@pytest.mark.parametrize(
    ("argument", "entry"),
    [
        ("a.b=int:5", u32("a.b", 5)),
        ("a.b=int:-5", i32("a.b", -5)),
        ("a.b=float:0.5", f32("a.b", 0.5)),
        ("a.b=bool:true", boolean("a.b", True)),
        ("a.b=bool:false", boolean("a.b", False)),
        ("a.b=str:", text("a.b", "")),
        ("a.b=str:x=y:z", text("a.b", "x=y:z")),
    ],
)
def test_overrides_in_words(argument: str, entry: KeyValue) -> None:
    assert parse_override(argument) == entry


@pytest.mark.parametrize(
    "argument",
    [
        *("", "a", "a=b", "=int:5", "a=int:five", "a=int:5000000000", "a=list:1", "a=bool:yes"),
        *("a=float:nan", "a=float:1e99", f"{'k' * 70_000}=int:5"),
    ],
)
def test_malformed_overrides(argument: str) -> None:
    with pytest.raises(ConfigError):
        parse_override(argument)


def test_a_value_takes_the_place_and_type_of_its_key() -> None:
    changed = apply_overrides(METADATA, [i32("qwen2.context_length", 20), u32("x.y", 2)])
    assert changed == (METADATA[0], u32("qwen2.context_length", 20), f32("x.y", 2.0))


def test_a_new_key_goes_to_the_end() -> None:
    assert apply_overrides(METADATA, [text("z", "new")]) == (*METADATA, text("z", "new"))


@pytest.mark.parametrize(
    "entry",
    [
        text("qwen2.context_length", "long"),
        boolean("qwen2.context_length", True),
        i32("qwen2.context_length", -1),
        u32("general.name", 5),
        array("general.name", ValueType.UINT32, [1]),
    ],
)
def test_another_type_is_refused(entry: KeyValue) -> None:
    with pytest.raises(ConfigError, match="another type"):
        apply_overrides(METADATA, [entry])


@pytest.mark.parametrize(
    "key", ["general.architecture", "general.file_type", "general.alignment", "split.count"]
)
def test_what_follows_from_the_file_is_fixed(key: str) -> None:
    with pytest.raises(ConfigError, match="cannot be overridden"):
        apply_overrides(METADATA, [u32(key, 1)])
