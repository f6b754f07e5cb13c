"""SOURCE [OUT] [RECIPE]: the words mean what people mean by them."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from qwq_gguf.cli.target import modelfile_beside, output_path, read_words
from qwq_gguf.errors import OutputError

NAMES = ("BF16", "Q8_0", "Q4_K_M")


@pytest.mark.parametrize(
    ("out", "recipe", "option", "expected"),
    [
        (None, None, None, (None, "Q4_K_M")),
        (None, None, "q8_0", (None, "q8_0")),
        ("q8_0", None, None, (None, "q8_0")),
        ("q8_0", None, "Q8_0", (None, "Q8_0")),
        ("q8_0", None, "BF16", ("q8_0", "BF16")),
        ("./q8_0", None, None, ("./q8_0", "Q4_K_M")),
        ("out.gguf", None, None, ("out.gguf", "Q4_K_M")),
        ("out.gguf", "bf16", None, ("out.gguf", "bf16")),
        ("out.gguf", "bf16", "BF16", ("out.gguf", "bf16")),
        ("model", "mine.toml", None, ("model", "mine.toml")),
        ("q8_0.gguf", None, None, ("q8_0.gguf", "Q4_K_M")),
    ],
)
def test_words(
    out: str | None, recipe: str | None, option: str | None, expected: tuple[str | None, str]
) -> None:
    assert read_words(out, recipe, option, NAMES) == expected


def test_a_folder_called_like_a_recipe_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Q8_0").mkdir()
    assert read_words("Q8_0", None, None, NAMES) == ("Q8_0", "Q4_K_M")


@pytest.mark.parametrize("word", ["q4_k_x", "Q5_K_M", "iq4_xs", "f16", "Q4", "Q4KM", "q4-k-m"])
def test_a_misspelt_recipe_is_never_taken_for_a_file(word: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"no recipe is called"):
        read_words(word, None, None, NAMES)


def test_two_different_recipes_are_refused() -> None:
    with pytest.raises(typer.BadParameter, match="two recipes"):
        read_words("out.gguf", "q8_0", "BF16", NAMES)


def test_output_paths(tmp_path: Path) -> None:
    assert output_path(None, "QwQ-32B", "Q4_K_M") == Path("QwQ-32B-Q4_K_M.gguf")
    assert output_path(str(tmp_path), "QwQ-32B", "Q8_0") == tmp_path / "QwQ-32B-Q8_0.gguf"
    assert output_path("a/b.gguf", "QwQ-32B", "Q8_0") == Path("a/b.gguf")
    with pytest.raises(OutputError, match="no such folder"):
        output_path(f"{tmp_path}/none/", "QwQ-32B", "Q8_0")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/abs", "..", "a\x00b", "a/b\\c", "\x1b[2J"])
def test_a_models_name_cannot_choose_the_folder(name: str) -> None:
    path = output_path(None, name, "Q8_0")
    assert path.parent == Path()
    assert path.name.isprintable()
    assert path.suffix == ".gguf"


def test_the_modelfile_has_the_name_of_its_gguf() -> None:
    assert modelfile_beside(Path("a/QwQ-Q4_K_M.gguf")) == Path("a/QwQ-Q4_K_M.Modelfile")
    assert modelfile_beside(Path("odd")) == Path("odd.Modelfile")
