"""Values of a TOML file are what their reader asked for, or the error says where they are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qwq_gguf.errors import ProfileError, QwqGgufError, RecipeError
from qwq_gguf.profiles import parse_profile
from qwq_gguf.quantization import parse_recipe
from qwq_gguf.toml_table import MAX_TEXT, Table, read_toml, toml_table

TEXT = """
name = "a"
blank = " "
number = 7
on = true
list = ["x", "y"]
mixed = ["x", 1]
[inner]
deep = { value = -1 }
[[rule]]
a = 1
[[rule]]
b = 2
"""


def table() -> Table:
    return toml_table(TEXT, "recipe", RecipeError, Path("mine.toml"))


def test_what_is_there_is_given() -> None:
    found = table()
    assert "name" in found
    assert "names" not in found
    assert (found.text("name"), found.text_or("other", "b")) == ("a", "b")
    assert (found.whole("number", 7, 7), found.flag("on"), found.flag("off")) == (7, True, None)
    assert found.texts("list") == ("x", "y")
    assert found.table("inner").table("deep").whole("value") == -1
    assert [each.where for each in found.tables("rule", numbered=True)] == ["rule 1.", "rule 2."]
    assert [each.where for each in found.tables("inner")] == ["inner."]
    assert found.tables("absent") == ()


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda t: t.text("absent"), "absent must be a text of 1 to 2000 characters"),
        (lambda t: t.text("blank"), "blank must be a text"),
        (lambda t: t.text("number"), "number must be a text"),
        (lambda t: t.whole("on"), "on must be a whole number"),
        (lambda t: t.whole("number", 0, 6), "number must be a whole number, 0 to 6"),
        (lambda t: t.whole("number", 8, 9), "number must be a whole number, 8 to 9"),
        (lambda t: t.flag("number"), "number must be true or false"),
        (lambda t: t.texts("mixed"), "mixed must be a list of texts"),
        (lambda t: t.texts("name"), "name must be a list of texts"),
        (lambda t: t.table("name"), "name must be a table"),
        (lambda t: t.tables("list"), "list must be a table"),
        (lambda t: t.table("inner").table("deep").text("value"), "inner.deep.value must be"),
        (lambda t: t.tables("rule", numbered=True)[1].flag("b"), "rule 2.b must be true or"),
        (lambda t: t.only(("name", "number", "list")), "unknown key blank"),
    ],
)
def test_what_is_not_is_refused_by_its_whole_name(
    ask: Callable[[Table], object], message: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        ask(table())
    assert caught.value.message.startswith(message)
    assert caught.value.path == "mine.toml"


def test_what_was_found_is_cut_short() -> None:
    with pytest.raises(RecipeError) as caught:
        Table({"a": "x" * (MAX_TEXT + 1)}, RecipeError).text("a")
    assert len(str(caught.value.found)) <= 80


@pytest.mark.parametrize("content", [b"\xff\xfe", b"#" * 101, None])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        read_toml(path, 100, "recipe", RecipeError)
    assert caught.value.path == str(path)
    path.write_bytes(b"#" * 100)
    assert read_toml(path, 100, "recipe", RecipeError) == "#" * 100


@pytest.mark.parametrize(
    ("read", "error", "text"),
    [
        (parse_profile, ProfileError, 'schema = 1\nname = "x"\nnaem = "x"'),
        (parse_recipe, RecipeError, 'base = "Q4_K"\nname = "x"\nnaem = "x"'),
    ],
)
def test_profiles_and_recipes_tell_a_mistake_in_one_way(
    read: Callable[[str, Path], object], error: type[QwqGgufError], text: str
) -> None:
    with pytest.raises(error) as caught:
        read(text, Path("mine.toml"))
    assert caught.value.message == "unknown key naem"
    assert str(caught.value.expected).startswith("one of ")
    assert caught.value.hint == "did you mean name?"
    assert caught.value.path == "mine.toml"
