"""`qwq-gguf quantize -r A -r B`: several models of one reading, as people type it."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.cli.app import app
from qwq_gguf.conversion import convert
from qwq_gguf.gguf_file import read_gguf
from support.checkpoints import write_checkpoint
from support.imatrix import gguf_bytes, random_sums

runner = CliRunner()
BOTH = ("-r", "q4_k_m", "-r", "Q8_0")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "Tiny-1B", "llama", shards=2)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quantize(*arguments: object) -> Result:
    return runner.invoke(app, ["quantize", *map(str, arguments)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_has_a_file_a_manifest_and_a_modelfile(checkpoint: Path, here: Path) -> None:
    (here / "models").mkdir()
    done = quantize(checkpoint, "models", *BOTH)
    assert done.exit_code == 0, done.output
    assert names(here / "models") == [
        f"Tiny-1B-{recipe}.{ending}"
        for recipe in ("Q4_K_M", "Q8_0")
        for ending in ("Modelfile", "gguf", "manifest.json")
    ]
    for recipe in ("Q4_K_M", "Q8_0"):
        assert f"models/Tiny-1B-{recipe}.gguf: " in done.stderr
        said = json.loads((here / "models" / f"Tiny-1B-{recipe}.manifest.json").read_text())
        assert said["recipe"]["name"] == recipe
        assert said["file"]["name"] == f"Tiny-1B-{recipe}.gguf"
        assert runner.invoke(app, ["verify", f"models/Tiny-1B-{recipe}.gguf"]).exit_code == 0
    assert "2 models in " in done.stderr


def test_the_bytes_are_those_of_single_runs(checkpoint: Path, here: Path) -> None:
    assert quantize(checkpoint, *BOTH, "--no-modelfile").exit_code == 0
    (here / "alone").mkdir()
    for recipe in ("Q4_K_M", "Q8_0"):
        assert quantize(checkpoint, "alone", "-r", recipe, "--no-modelfile").exit_code == 0
    for name in names(here / "alone"):
        assert (here / name).read_bytes() == (here / "alone" / name).read_bytes()


def test_the_plans_in_a_table(checkpoint: Path, here: Path) -> None:
    shown = quantize(checkpoint, *BOTH, "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert names(here) == []
    rows = {line.split()[0]: line for line in shown.stdout.splitlines() if line.strip()}
    plans = json.loads(quantize(checkpoint, *BOTH, "--dry-run", "--json").stdout)["plans"]
    for plan in plans:
        assert f"{plan['file_bytes']:,}" in rows[plan["recipe"]]
    assert "would write Tiny-1B-Q8_0.gguf: " in shown.stderr
    assert f"together {sum(plan['file_bytes'] for plan in plans):,} bytes" in shown.stderr


def test_the_plans_as_json(checkpoint: Path, here: Path) -> None:
    said = json.loads(quantize(checkpoint, *BOTH, "--dry-run", "--json").stdout)
    assert said["schema"] == "qwq-gguf/plans/1"
    alone = [
        json.loads(quantize(checkpoint, "-r", recipe, "--dry-run", "--json").stdout)
        for recipe in ("Q4_K_M", "Q8_0")
    ]
    told = [(plan.pop("changes"), plan.pop("notes")) for plan in alone]
    assert told == [(said["changes"], said["notes"])] * 2
    assert said["plans"] == alone


def test_what_one_recipe_warns_of_has_its_name(checkpoint: Path, here: Path) -> None:
    made = convert(open_checkpoint(str(checkpoint)))
    sums = random_sums(
        {
            tensor.name: tensor.shape[0]
            for tensor in made.tensors
            if tensor.layer is not None and len(tensor.shape) == 2
        }
    )
    del sums["blk.0.ffn_up.weight"]
    sums["blk.9.ffn_up.weight"] = sums["blk.0.ffn_gate.weight"]
    Path("m.gguf").write_bytes(gguf_bytes(sums))
    shown = quantize(checkpoint, "-r", "Q4_K_M", "-r", "Q8_0", "--imatrix", "m.gguf", "--dry-run")
    assert shown.exit_code == 0, shown.output
    told = [line for line in shown.stderr.splitlines() if line.startswith("warning: ")]
    assert sum("blk.9.ffn_up.weight" in line for line in told) == 1
    assert [line.startswith("warning: Q4_K_M: ") for line in told] == [
        "blk.0.ffn_up.weight" in line for line in told
    ]
    assert any("blk.0.ffn_up.weight" in line for line in told)
    refused = quantize(checkpoint, "-r", "Q4_K_M", "-r", "IQ2_XS", "--dry-run")
    assert refused.exit_code == 1
    assert "IQ2_XS needs an importance matrix" in refused.stderr


def test_all_places_are_looked_at_first(checkpoint: Path, here: Path) -> None:
    (here / "Tiny-1B-Q8_0.gguf").write_bytes(b"precious")
    refused = quantize(checkpoint, *BOTH)
    assert refused.exit_code == 1
    assert "Tiny-1B-Q8_0.gguf: exists already" in refused.stderr
    assert names(here) == ["Tiny-1B-Q8_0.gguf"]
    assert (here / "Tiny-1B-Q8_0.gguf").read_bytes() == b"precious"
    assert quantize(checkpoint, *BOTH, "--force").exit_code == 0
    assert read_gguf(here / "Tiny-1B-Q8_0.gguf").integer("general.file_type") == 7


def test_a_disk_with_room_for_one(
    checkpoint: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = json.loads(quantize(checkpoint, *BOTH, "--dry-run", "--json").stdout)
    sizes = [plan["file_bytes"] for plan in said["plans"]]
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, sum(sizes) - 1))
    refused = quantize(checkpoint, *BOTH)
    assert refused.exit_code == 1
    assert "the disk is too small for all of them" in refused.stderr
    assert names(here) == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["out.gguf"], 1, "several recipes make several files"),
        (["-r", "q8_0"], 2, "q8_0 is named twice"),
        ([".", "Q6_K"], 2, "two recipes are named"),
        (["Q6_K"], 2, "for it as well, -r Q6_K"),
        (["-r", "mine.toml"], 2, "two of the recipes are called Q8_0"),
    ],
)
def test_refusals_write_nothing(
    checkpoint: Path, here: Path, arguments: list[str], status: int, words: str
) -> None:
    (here / "mine.toml").write_text('name = "Q8_0"\nabout = "x"\nbase = "Q8_0"\n')
    refused = quantize(checkpoint, *arguments, *BOTH)
    assert refused.exit_code == status, refused.output
    assert words in " ".join(refused.stderr.replace("│", " ").split())
    assert names(here) == ["mine.toml"]
