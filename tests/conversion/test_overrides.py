"""--override-kv and its rules."""

from __future__ import annotations

import pytest

from qwq_gguf.conversion import parse_override
from qwq_gguf.conversion.overrides import apply_overrides
from qwq_gguf.errors import ConfigError
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, f32, f64, i32, text, u32, u64

METADATA = (text("general.name", "a"), u32("qwen2.context_length", 10), f32("x.y", 0.5))


@pytest.mark.parametrize(
    ("argument", "entry"),
    [
        ("a.b=int:5", u32("a.b", 5)),
        ("a.b=int:-5", i32("a.b", -5)),
        ("a.b=float:0.1", f64("a.b", 0.1)),
        ("a.b=int:4294967295", u32("a.b", 2**32 - 1)),
        ("a.b=int:5000000000", u64("a.b", 5_000_000_000)),
        ("a.b=int:18446744073709551615", u64("a.b", 2**64 - 1)),
        ("a.b=int:-5000000000", KeyValue("a.b", ValueType.INT64, -5_000_000_000)),
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
        *("", "a", "a=b", "=int:5", "a=int:five", "a=list:1", "a=bool:yes", "a=float:nan"),
        *(f"a=int:{2**64}", f"a=int:{-(2**63) - 1}", "a=float:1e999", f"{'k' * 70_000}=int:5"),
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
        f64("qwen2.context_length", 0.5),
        u32("general.name", 5),
        f64("general.name", 0.5),
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


INTEGERS = {
    ValueType.UINT8: (0, 255),
    ValueType.INT8: (-128, 127),
    ValueType.UINT16: (0, 65535),
    ValueType.INT16: (-32768, 32767),
    ValueType.UINT32: (0, 4294967295),
    ValueType.INT32: (-2147483648, 2147483647),
    ValueType.UINT64: (0, 18446744073709551615),
    ValueType.INT64: (-9223372036854775808, 9223372036854775807),
}


@pytest.mark.parametrize("kind", INTEGERS)
def test_every_integer_type_holds_its_whole_range(kind: ValueType) -> None:
    least, most = INTEGERS[kind]
    present = (KeyValue("k", kind, 1),)
    for number in (least, most):
        changed = apply_overrides(present, [parse_override(f"k=int:{number}")])
        assert changed == (KeyValue("k", kind, number),)
    for number in (least - 1, most + 1):
        with pytest.raises(ConfigError):
            apply_overrides(present, [parse_override(f"k=int:{number}")])


def test_a_number_out_of_range_is_told_the_range() -> None:
    with pytest.raises(ConfigError, match="is a uint8, which has no such number") as raised:
        apply_overrides((KeyValue("k", ValueType.UINT8, 1),), [parse_override("k=int:256")])
    assert raised.value.expected == "0 to 255"


def test_a_float_is_as_exact_as_its_key() -> None:
    typed = parse_override("k=float:0.1")
    assert apply_overrides((), [typed]) == (f32("k", 0.1),)
    assert apply_overrides((f32("k", 1),), [typed]) == (f32("k", 0.1),)
    assert apply_overrides((f64("k", 1),), [typed]) == (f64("k", 0.1),)
    assert apply_overrides((f64("k", 1),), [parse_override("k=int:5000000000")]) == (f64("k", 5e9),)
    large = parse_override("k=float:1e99")
    assert apply_overrides((f64("k", 1),), [large]) == (f64("k", 1e99),)
    for present in ((), (f32("k", 1),)):
        with pytest.raises(ConfigError, match="is a float32"):
            apply_overrides(present, [large])
