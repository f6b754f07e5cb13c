"""`qwq-gguf quantize` as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.gguf_file import read_gguf
from support.checkpoints import write_checkpoint

runner = CliRunner()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "Tiny-1B", shards=2)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quantize(*arguments: object) -> Result:
    return runner.invoke(app, ["quantize", *map(str, arguments)])


def test_the_default_is_q4_k_m_here(checkpoint: Path, here: Path) -> None:
    done = quantize(checkpoint)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in here.iterdir()) == [
        "Tiny-1B-Q4_K_M.Modelfile",
        "Tiny-1B-Q4_K_M.gguf",
        "Tiny-1B-Q4_K_M.manifest.json",
    ]
    assert done.stdout == ""
    assert "Tiny-1B-Q4_K_M.gguf" in done.stderr
    assert "bits a weight" in done.stderr


def test_a_recipe_as_the_second_word(checkpoint: Path, here: Path) -> None:
    done = quantize(checkpoint, "q8_0", "--no-modelfile", "--no-manifest")
    assert done.exit_code == 0, done.output
    assert [path.name for path in here.iterdir()] == ["Tiny-1B-Q8_0.gguf"]
    assert read_gguf(here / "Tiny-1B-Q8_0.gguf").integer("general.file_type") == 7


def test_a_folder_as_output(checkpoint: Path, here: Path) -> None:
    (here / "models").mkdir()
    assert quantize(checkpoint, "models", "bf16").exit_code == 0
    assert (here / "models" / "Tiny-1B-BF16.gguf").is_file()
    assert (here / "models" / "Tiny-1B-BF16.Modelfile").is_file()


def test_an_existing_file_stays_unless_forced(checkpoint: Path, here: Path) -> None:
    (here / "a.gguf").write_bytes(b"precious")
    refused = quantize(checkpoint, "a.gguf")
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert (here / "a.gguf").read_bytes() == b"precious"
    assert quantize(checkpoint, "a.gguf", "--force").exit_code == 0
    assert read_gguf(here / "a.gguf").text("general.architecture") == "qwen2"


def test_an_existing_modelfile_stays_unless_forced(checkpoint: Path, here: Path) -> None:
    mine = here / "a.Modelfile"
    mine.write_text("FROM mine")
    kept = quantize(checkpoint, "a.gguf")
    assert kept.exit_code == 0
    assert mine.read_text() == "FROM mine"
    assert "a.Modelfile is there already" in kept.stderr
    assert quantize(checkpoint, "a.gguf", "--force").exit_code == 0
    assert "FROM ./a.gguf" in mine.read_text()


def test_the_plan_as_json_is_exact(checkpoint: Path, here: Path) -> None:
    planned = quantize(checkpoint, "--dry-run", "--json")
    assert planned.exit_code == 0, planned.output
    assert planned.stderr == ""
    plan = json.loads(planned.stdout)
    assert list(here.iterdir()) == []
    assert plan["schema"] == "qwq-gguf/plan/1"

    assert quantize(checkpoint, "--no-modelfile").exit_code == 0
    written = read_gguf(here / "Tiny-1B-Q4_K_M.gguf")
    assert plan["file_bytes"] == (here / "Tiny-1B-Q4_K_M.gguf").stat().st_size
    assert [(t["name"], t["shape"], t["type"], t["bytes"]) for t in plan["tensors"]] == [
        (t.name, list(t.shape), t.type.name, t.nbytes) for t in written.tensors
    ]
    assert [t["offset"] + plan["data_offset"] for t in plan["tensors"]] == [
        t.offset for t in written.tensors
    ]
    assert list(plan["metadata"]) == list(written.metadata)
    assert plan["metadata"]["general.name"] == written.text("general.name")


def test_the_plan_as_a_table(checkpoint: Path, here: Path) -> None:
    shown = quantize(checkpoint, "Q8_0", "--dry-run")
    assert shown.exit_code == 0
    assert list(here.iterdir()) == []
    rows = {line.split()[0]: line for line in shown.stdout.splitlines() if line.strip()}
    assert "Q8_0" in rows["token_embd.weight"]
    assert "F32" in rows["output_norm.weight"]
    assert not any(line.endswith(" ") for line in shown.stdout.splitlines())
    assert "would write Tiny-1B-Q8_0.gguf" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--json"], 2, "--json goes with --dry-run"),
        (["Q4_K_X"], 2, "did you mean Q4_K_S, Q4_K_M"),
        (["-r", "Q4_K_X"], 1, "no recipe is called Q4_K_X"),
        (["a.gguf", "Q8_0", "-r", "BF16"], 2, "two recipes"),
        (["none/"], 1, "no such folder"),
        (["--threads", "0"], 2, "--threads"),
    ],
)
def test_refusals_write_nothing(
    checkpoint: Path, here: Path, arguments: list[str], status: int, words: str
) -> None:
    refused = quantize(checkpoint, *arguments)
    assert refused.exit_code == status, refused.output
    assert words in refused.stderr
    assert refused.stdout == ""
    assert list(here.iterdir()) == []


def test_a_source_that_is_none(here: Path) -> None:
    refused = quantize("nowhere")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: nowhere: ")
    assert "Traceback" not in refused.stderr


def test_a_users_own_recipe(checkpoint: Path, here: Path) -> None:
    (here / "mine.toml").write_text('name = "Mine"\nabout = "x"\nbase = "Q8_0"\n')
    done = quantize(checkpoint, "-r", "mine.toml", "--no-modelfile")
    assert done.exit_code == 0, done.output
    assert (here / "Tiny-1B-Mine.gguf").is_file()
