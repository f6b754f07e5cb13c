"""SOURCE [OUT] [RECIPE]: the words mean what people mean by them."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from qwq_gguf.cli.flags.quantize_words import read_words
from qwq_gguf.errors import OutputError, UsageError
from qwq_gguf.jobs.output_paths import modelfile_beside, output_paths

NAMES = ("BF16", "Q8_0", "Q4_K_M")


@pytest.mark.parametrize(
    ("out", "recipe", "options", "expected"),
    [
        (None, None, [], (None, "Q4_K_M")),
        (None, None, ["q8_0"], (None, "q8_0")),
        ("q8_0", None, [], (None, "q8_0")),
        ("q8_0", None, ["Q8_0"], (None, "Q8_0")),
        ("q8_0", None, ["BF16"], ("q8_0", "BF16")),
        ("./q8_0", None, [], ("./q8_0", "Q4_K_M")),
        ("out.gguf", None, [], ("out.gguf", "Q4_K_M")),
        ("out.gguf", "bf16", [], ("out.gguf", "bf16")),
        ("out.gguf", "bf16", ["BF16"], ("out.gguf", "BF16")),
        ("model", "mine.toml", [], ("model", "mine.toml")),
        ("q8_0.gguf", None, [], ("q8_0.gguf", "Q4_K_M")),
        (None, None, ["Q8_0", "BF16"], (None, "Q8_0", "BF16")),
        ("models", None, ["Q8_0", "BF16"], ("models", "Q8_0", "BF16")),
        ("models", "bf16", ["Q8_0", "BF16"], ("models", "Q8_0", "BF16")),
        ("bf16", None, ["Q8_0", "BF16"], (None, "Q8_0", "BF16")),
    ],
)
def test_words(
    out: str | None, recipe: str | None, options: list[str], expected: tuple[str | None, ...]
) -> None:
    assert read_words(out, recipe, options, NAMES) == (expected[0], expected[1:])


def test_a_folder_called_like_a_recipe_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Q8_0").mkdir()
    assert read_words("Q8_0", None, [], NAMES) == ("Q8_0", ("Q4_K_M",))


@pytest.mark.parametrize("word", ["q4_k_x", "Q5_K_M", "iq4_xs", "f16", "Q4", "Q4KM", "q4-k-m"])
def test_a_misspelt_recipe_is_never_taken_for_a_file(word: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"no recipe is called"):
        read_words(word, None, [], NAMES)


@pytest.mark.parametrize(
    ("word", "options", "what"),
    [
        ("q8_0", ["BF16"], r"two recipes are named: q8_0 and BF16 \(.*-r q8_0 -r BF16\)"),
        ("q8_0", ["BF16", "Q4_K_M"], "two recipes"),
        (None, ["BF16", "q8_0", "bf16"], "BF16 is named twice"),
    ],
)
def test_recipes_that_do_not_go_together(word: str | None, options: list[str], what: str) -> None:
    with pytest.raises(typer.BadParameter, match=what):
        read_words("out.gguf", word, options, NAMES)


def test_a_recipe_where_the_folder_belongs() -> None:
    with pytest.raises(typer.BadParameter, match="for it as well, -r Q4_K_M"):
        read_words("Q4_K_M", None, ["BF16", "Q8_0"], NAMES)


def test_output_paths(tmp_path: Path) -> None:
    assert output_paths(None, "QwQ-32B", ["Q4_K_M"]) == [Path("QwQ-32B-Q4_K_M.gguf")]
    assert output_paths(str(tmp_path), "QwQ-32B", ["Q8_0"]) == [tmp_path / "QwQ-32B-Q8_0.gguf"]
    assert output_paths("a/b.gguf", "QwQ-32B", ["Q8_0"]) == [Path("a/b.gguf")]
    none = tmp_path / "none"
    assert output_paths(f"{none}/", "QwQ-32B", ["Q8_0"]) == [none / "QwQ-32B-Q8_0.gguf"]


def test_output_paths_of_several_recipes(tmp_path: Path) -> None:
    both = ["Q8_0", "BF16"]
    assert output_paths(None, "m", both) == [Path("m-Q8_0.gguf"), Path("m-BF16.gguf")]
    assert output_paths(str(tmp_path), "m", both) == [
        tmp_path / "m-Q8_0.gguf",
        tmp_path / "m-BF16.gguf",
    ]
    none = tmp_path / "none"
    assert output_paths(str(none), "m", both) == [none / "m-Q8_0.gguf", none / "m-BF16.gguf"]
    with pytest.raises(OutputError, match="several recipes make several files"):
        output_paths(f"{tmp_path}/out.gguf", "m", both)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="several recipes make several files"):
        output_paths(f"{tmp_path}/file", "m", both)
    with pytest.raises(UsageError, match="two of the recipes are called Q8_0"):
        output_paths(None, "m", ["Q8_0", "q8_0"])


@pytest.mark.parametrize("name", ["../../etc/passwd", "/abs", "..", "a\x00b", "a/b\\c", "\x1b[2J"])
def test_a_models_name_cannot_choose_the_folder(name: str) -> None:
    (path,) = output_paths(None, name, ["Q8_0"])
    assert path.parent == Path()
    assert path.name.isprintable()
    assert path.suffix == ".gguf"


def test_the_modelfile_has_the_name_of_its_gguf() -> None:
    assert modelfile_beside(Path("a/QwQ-Q4_K_M.gguf")) == Path("a/QwQ-Q4_K_M.Modelfile")
    assert modelfile_beside(Path("odd")) == Path("odd.Modelfile")
