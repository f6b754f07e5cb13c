"""`qwq-gguf quantize` as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.gguf_file import read_gguf
from support.checkpoints import write_checkpoint
from support.imatrix import gguf_bytes, random_sums

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
        (["Q4_K_X"], 2, "did you mean Q4_K_S or Q4_K_M"),
        (["-r", "Q4_K_X"], 1, "no recipe is called Q4_K_X"),
        (["a.gguf", "Q8_0", "-r", "BF16"], 2, "two recipes"),
        (["file/"], 1, "is a file, where a folder is named"),
        (["--threads", "0"], 2, "--threads"),
    ],
)
def test_refusals_write_nothing(
    checkpoint: Path, here: Path, arguments: list[str], status: int, words: str
) -> None:
    (here / "file").touch()
    refused = quantize(checkpoint, *arguments)
    assert refused.exit_code == status, refused.output
    assert words in refused.stderr
    assert refused.stdout == ""
    assert [path.name for path in here.iterdir()] == ["file"]


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


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model-00001-of-00002.safetensors"]
)
@pytest.mark.parametrize("link", [False, True])
def test_no_file_of_the_source_is_replaced(
    name: str, link: bool, here: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = write_checkpoint(tmp_path_factory.mktemp("models") / "Tiny-1B", shards=2)
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    out = source / name
    if link:
        out = here / "other.gguf"
        out.hardlink_to(source / name)
    refused = quantize(source, out, "bf16", "--force", "--no-modelfile", "--no-manifest")
    assert refused.exit_code == 1
    assert "is one of the files that this is made from" in " ".join(refused.stderr.split())
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before


def test_force_replaces_gguf_files_only(checkpoint: Path, here: Path) -> None:
    words = ("bf16", "--force", "--no-modelfile", "--no-manifest")
    (here / "notes.txt").write_text("precious")
    refused = quantize(checkpoint, "notes.txt", *words)
    assert refused.exit_code == 1
    assert "is a file and no GGUF" in refused.stderr
    assert (here / "notes.txt").read_text() == "precious"
    for name, content in (("empty", b""), ("model.bin", b"GGUF..."), ("a.gguf", b"torn")):
        (here / name).write_bytes(content)
        assert quantize(checkpoint, name, *words).exit_code == 0
        assert read_gguf(here / name).integer("general.file_type") == 32


def test_an_importance_matrix_is_not_replaced_by_what_it_weighs(
    checkpoint: Path, here: Path
) -> None:
    matrix = here / "imatrix.gguf"
    matrix.write_bytes(gguf_bytes(random_sums({"blk.0.ffn_up.weight": 256})))
    before = matrix.read_bytes()
    refused = quantize(checkpoint, matrix, "q8_0", "--imatrix", matrix, "--force")
    assert refused.exit_code == 1
    assert "made from" in refused.stderr
    assert matrix.read_bytes() == before
