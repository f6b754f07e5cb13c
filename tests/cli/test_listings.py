"""`qwq-gguf recipes` and `qwq-gguf profiles`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from qwq_gguf.profiles import load_profile, profile_names
from qwq_gguf.quantization import load_recipe, parse_recipe, recipe_names

runner = CliRunner()


def test_every_recipe_is_listed_with_its_size() -> None:
    listed = runner.invoke(app, ["recipes"]).stdout.splitlines()
    assert [line.split()[0] for line in listed[2:]] == list(recipe_names())
    (row,) = (line.split() for line in listed if line.startswith("Q4_K_M "))
    assert row[1] == "4.85"


def test_a_recipe_can_be_copied() -> None:
    shown = runner.invoke(app, ["recipes", "q4_k_m"]).stdout
    assert parse_recipe(shown, Path("copy.toml")) == load_recipe("Q4_K_M")


def test_every_profile_is_listed_with_its_order() -> None:
    listed = runner.invoke(app, ["profiles"]).stdout.splitlines()
    assert [line.split()[0] for line in listed[2:]] == list(profile_names())
    assert " > ".join(load_profile("qwq").chain.order) in listed[2]


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_can_be_copied(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "mine.toml"
    copy.write_text(runner.invoke(app, ["profiles", name, "--toml"]).stdout)
    assert load_profile(copy) == load_profile(name)
    assert runner.invoke(app, ["profiles", "--toml"]).exit_code == 2


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_says_where_each_number_comes_from(name: str) -> None:
    shown = runner.invoke(app, ["profiles", name])
    assert shown.exit_code == 0
    text = " ".join(shown.stdout.split())
    profile = load_profile(name)
    for setting in profile.chain.settings():
        source = " ".join(profile.sources[setting].split())
        assert setting in text
        assert source[:60] in text


@pytest.mark.parametrize("command", ["recipes", "profiles"])
def test_unknown_names(command: str) -> None:
    refused = runner.invoke(app, [command, "nonsense"])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: ")
    assert refused.stdout == ""
