"""`qwq-gguf recipes fit` as people type it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.cli.app import app
from qwq_gguf.conversion import convert
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.jobs import recipe_fitting
from qwq_gguf.quantization import load_recipe
from qwq_gguf.quantization.fitting import candidates, measuring
from support.checkpoints import write_checkpoint
from support.hub import LoopbackHub
from support.imatrix import gguf_bytes, random_sums

runner = CliRunner()
BARE = ("--no-manifest", "--no-modelfile")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "Tiny-1B", shards=2)


@pytest.fixture(autouse=True)
def few_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """ggml's codebooks of the others take seconds to build."""
    kinds = ("Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K", "IQ2_XXS")
    monkeypatch.setattr(candidates, "_LARGE", tuple(GgmlType[kind] for kind in kinds))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: object) -> Result:
    return runner.invoke(app, [*map(str, arguments)])


def fitted(*arguments: object) -> dict[str, Any]:
    done = run("recipes", "fit", *arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def stock_size(checkpoint: Path, name: str) -> int:
    sizes = json.loads(run("recipes", checkpoint, "--json").stdout)["recipes"]
    (size,) = (each["file_bytes"] for each in sizes if each["name"] == name)
    return int(size)


def test_the_recipe_makes_a_file_of_exactly_that_size(checkpoint: Path, here: Path) -> None:
    size = stock_size(checkpoint, "Q4_K_M")
    found = fitted(checkpoint, "--size", f"{size / 1e6}M", "-o", "mine.toml")
    assert found["schema"] == "qwq-gguf/recipe-fit/1"
    assert found["file_bytes"] <= size
    assert found["least_possible_error"] <= found["error"]
    stock = {each["name"]: each for each in found["stock"]}
    assert stock["Q4_K_M"]["file_bytes"] == size
    assert found["error"] < stock["Q4_K_M"]["error"]
    text = (here / "mine.toml").read_text(encoding="utf-8")
    assert text == found["recipe"]["text"] == load_recipe("mine.toml").text
    assert f"Expected error: {found['error']:.6g}" in text
    assert run("quantize", checkpoint, "made.gguf", "-r", "mine.toml", *BARE).exit_code == 0
    assert (here / "made.gguf").stat().st_size == found["file_bytes"]
    planned = json.loads(
        run("quantize", checkpoint, "--dry-run", "--json", "-r", "mine.toml").stdout
    )
    assert {each["name"]: each["type"] for each in planned["tensors"]} == found["types"]


def test_bits_and_cards(checkpoint: Path, here: Path) -> None:
    found = fitted(checkpoint, "--bpw", "4.5")
    assert 4.3 < found["bits_per_weight"] <= 4.5
    assert found["recipe"]["path"] == f"Tiny-1B-{found['recipe']['name']}.toml"
    whole = fitted(checkpoint, "--vram", "24GB", "-c", "512", "-o", "whole.toml")
    assert set(whole["types"].values()) <= {"BF16", "F32"}  # all of it has room
    assert whole["error"] == 0


def test_an_importance_matrix_weighs_and_allows_smaller_types(checkpoint: Path, here: Path) -> None:
    sums = random_sums(
        {
            tensor.name: tensor.shape[0]
            for tensor in convert(open_checkpoint(str(checkpoint))).tensors
            if tensor.layer is not None and len(tensor.shape) == 2
        }
    )
    (here / "some.imatrix").write_bytes(gguf_bytes(sums))
    small = fitted(checkpoint, "--bpw", "2.6", "--imatrix", "some.imatrix", "-o", "small.toml")
    assert any(kind.startswith("IQ2") for kind in small["types"].values())
    made = run(
        "quantize", checkpoint, "made.gguf", "-r", "small.toml", *BARE, "--imatrix", "some.imatrix"
    )
    assert made.exit_code == 0, made.output
    assert (here / "made.gguf").stat().st_size == small["file_bytes"]
    refused = run("recipes", "fit", checkpoint, "--bpw", "1.5")
    assert refused.exit_code == 1
    assert "an importance matrix" in refused.stderr


def test_measured_once(checkpoint: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(checkpoint, "--bpw", "5")
    monkeypatch.setattr(measuring, "measure", lambda *_, **__: pytest.fail("measured again"))
    assert fitted(checkpoint, "--bpw", "6")["bits_per_weight"] > 5


def test_ctrl_c_keeps_what_is_measured(
    tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = write_checkpoint(tmp_path / "Other-1B", seed=5)
    whole: Callable[..., Iterator[Any]] = measuring.measure
    begun: list[int] = []

    def ended(tasks: Any, **settings: Any) -> Iterator[Any]:
        begun.append(len(tasks))
        for number, each in enumerate(whole(tasks, **settings)):
            yield each
            if number == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "measure", ended)
    done = run("recipes", "fit", checkpoint, "--bpw", "5")
    assert done.exit_code == 130
    assert list(here.iterdir()) == []
    run("recipes", "fit", checkpoint, "--bpw", "5")
    assert begun[1] == begun[0] - 3


def test_from_the_hub(hub: LoopbackHub, tmp_path: Path, here: Path) -> None:
    repo = "Qwen/Third-1B"
    hub.add_folder(repo, write_checkpoint(tmp_path / "Third-1B", seed=6))
    done = run("recipes", "fit", repo, "--bpw", "5")
    assert done.exit_code == 0, done.output
    assert "of weights are downloaded" in done.stderr
    assert f"qwq-gguf quantize {repo} -r Third-1B-Fit-" in done.stdout
    hub.requests.clear()
    done = run("recipes", "fit", repo, "--bpw", "6")
    assert done.exit_code == 0, done.output
    assert not hub.seen("safetensors")


def test_from_a_gguf_that_is_quantized(checkpoint: Path, here: Path) -> None:
    assert run("quantize", checkpoint, "some.gguf", "-r", "Q6_K", *BARE).exit_code == 0
    done = run("recipes", "fit", "some.gguf", "--bpw", "4", "-o", "mine.toml")
    assert done.exit_code == 0, done.output
    assert "quantized a second time" in done.stderr
    (command,) = (line for line in done.stdout.splitlines() if line.startswith("qwq-gguf"))
    assert run(*command.split()[1:], "-o", "made.gguf", *BARE).exit_code == 0


@pytest.mark.parametrize(
    "flags, says",
    [
        ((), "name one of --size, --bpw and --vram"),
        (("--size", "1G", "--bpw", "4"), "name one of"),
        (("--bpw", "4", "-c", "512"), "--ctx goes with --vram"),
        (("--bpw", "4", "-o", "mine.gguf"), "a recipe is a .toml file"),
        (("--vram", "cpu"), "has no card"),
    ],
)
def test_what_goes_together(
    checkpoint: Path, here: Path, flags: tuple[str, ...], says: str
) -> None:
    refused = run("recipes", "fit", checkpoint, *flags)
    assert refused.exit_code == 2
    assert says in refused.stderr


def test_what_cannot_be_written_is_said_before_anything_is_measured(
    checkpoint: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe_fitting, "_errors", lambda *_: pytest.fail("measured"))
    (here / "mine.toml").write_text("mine", encoding="utf-8")
    refused = run("recipes", "fit", checkpoint, "--bpw", "4", "-o", "mine.toml")
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert (here / "mine.toml").read_text(encoding="utf-8") == "mine"


def test_recipes_by_name_need_no_further_word() -> None:
    assert run("recipes", "show", "Q4_K_M").stdout == run("recipes", "Q4_K_M").stdout
    assert "fit" in run("recipes", "--help").stdout
