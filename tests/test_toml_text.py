"""Strangers' TOML: what ours has is read, what would take tomllib too long is not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.errors import QwqGgufError, RecipeError
from qwq_gguf.resources import profiles_dir, recipes_dir
from qwq_gguf.toml_text import MAX_DEPTH, MAX_NUMBER, MAX_PARTS, parse_toml

ABSURD = {
    "dots in a key": ("a" + ".a" * 32_000 + " = 1", "a key of more than 16 parts"),
    "dots in a header": ("[a" + ".a" * 32_000 + "]", "a key of more than 16 parts"),
    "dots with blanks": ("a" + " . 'a'" * 9_000 + " = 1", "a key of more than 16 parts"),
    "digits and dots": ("1" + ".1" * 20 + " = 1", "a key of more than 16 parts"),
    "lists": ("a = " + "[" * 30_000, "nested more than 32 deep"),
    "inline tables": ("a = " + "{a=" * 20_000, "nested more than 32 deep"),
    "lists after ends": ("]" * 100 + "[" * 40, "nested more than 32 deep"),
    "digits": ("a = " + "9" * 5_000, "a number of 5000 characters"),
    "hexadecimal": ("a = 0x" + "f" * 60_000, "a number of 60002 characters"),
    "10**400": ("a = 1" + "0" * 400, "a number of 401 characters"),
    "10**400 with a point": ("a = 1" + "0" * 400 + ".5", "a number of 403 characters"),
    "65 bits": ("a = 18446744073709551616", "a number that 64 bits do not hold"),
    "below": ("a = -9223372036854775809", "a number that 64 bits do not hold"),
    "65 bits in binary": ("a = 0x8000000000000000", "a number that 64 bits do not hold"),
    "overflow": ("a = 1e999", "a number that 64 bits do not hold"),
    "overflow below": ("a = [0, -1_0.5E+308]", "a number that 64 bits do not hold"),
    "nan": ("a = nan", "a number that 64 bits do not hold"),
    "-nan": ("a = [1,-nan]", "a number that 64 bits do not hold"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_what_is_absurd_is_refused_with_its_line(name: str) -> None:
    text, why = ABSURD[name]
    with pytest.raises(RecipeError) as caught:
        parse_toml(f'b = """\n\n"""  # two\n\n{text}\n', "recipe", RecipeError, Path("my.toml"))
    assert why in caught.value.message
    assert "(at line 5)" in caught.value.message
    assert caught.value.path == "my.toml"
    assert len(caught.value.found or "") <= MAX_NUMBER


def test_what_is_no_toml_is_said_with_its_line() -> None:
    with pytest.raises(RecipeError, match="the recipe is not valid TOML") as caught:
        parse_toml("a = 1\nb = \n", "recipe", RecipeError)
    assert "line 2" in (caught.value.found or "")


def test_the_bounds_themselves_are_read() -> None:
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    parts = ".".join("a" * MAX_PARTS)
    long = "1." + "0" * (MAX_NUMBER - 2)
    table = parse_toml(f"x = {deep}\n{parts} = {long}\n[{parts.upper()}]", "x", QwqGgufError)
    assert list(table) == ["x", "a", "A"]
    numbers = "[9223372036854775807, -9223372036854775808, 1e308, -inf, 0xEE, 1e-999]"
    assert parse_toml(f"a = {numbers}", "x", QwqGgufError)["a"] == [
        2**63 - 1, -(2**63), 1e308, -math.inf, 0xEE, 0.0,
    ]  # fmt: skip


def test_nothing_counts_inside_of_texts_and_comments() -> None:
    hostile = "....." * 10 + "[[{{" * 10 + " nan 1e999 " + "9" * 100
    text = "\n".join(
        (
            f"a = '{hostile}'",
            f'b = "{hostile}\\""',
            f'c = """{hostile}\n" "" \\""" {hostile}""""  # {hostile}',
            f"d = '''{hostile}\n' '' {hostile}''''",
            f"# {hostile}",
            "nano = 1",
            "banana-nan = 1",
            "e = 1979-05-27T07:32:00.999999-07:00",
        )
    )
    table = parse_toml(text, "x", QwqGgufError)
    assert table["a"] == hostile
    assert table["c"].endswith(hostile + '"')
    assert len(table) == 7


@pytest.mark.parametrize(
    "text",
    ['x = """' + '\\"""' * 60_000, '"' * 250_000, "'" * 250_000, '"""' + "a" * 250_000 + "\\",
     "x = '''" + "''a" * 80_000, "-" * 250_000, "a-" * 120_000 + "1", '"' + "\\" * 250_000],
)  # fmt: skip
def test_the_look_takes_time_in_proportion(text: str) -> None:
    # Each was a trap for a pattern that gives back; with one of them this never ends.
    with pytest.raises(QwqGgufError):
        parse_toml(text, "x", QwqGgufError)


def test_our_own_are_read() -> None:
    for folder in (profiles_dir(), recipes_dir()):
        for path in folder.glob("*.toml"):
            assert parse_toml(path.read_text(encoding="utf-8"), "x", QwqGgufError, path)


@given(st.text(alphabet="ab.=[]{}\"'#\\\n ,1_e+-", max_size=60))
def test_whatever_it_is_it_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        parse_toml(text, "x", QwqGgufError)
    except QwqGgufError as error:
        said = str(error)
        assert any(place in said for place in ("line", "end of document"))
