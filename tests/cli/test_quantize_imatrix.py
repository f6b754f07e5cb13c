"""`qwq-gguf quantize --imatrix` as people type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.cli.app import app
from qwq_gguf.conversion import convert
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import read_gguf
from support.checkpoints import write_checkpoint
from support.imatrix import gguf_bytes, legacy_bytes, random_sums

runner = CliRunner()
CHUNKS = "quantize.imatrix.chunks_count"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "Tiny-1B")


@pytest.fixture
def here(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a matrix for the checkpoint in both formats, and one with a hole."""
    monkeypatch.chdir(tmp_path)
    sums = random_sums(
        {
            tensor.name: tensor.shape[0]
            for tensor in convert(open_checkpoint(str(checkpoint))).tensors
            if tensor.layer is not None and len(tensor.shape) == 2
        }
    )
    Path("new.gguf").write_bytes(gguf_bytes(sums))
    Path("old.dat").write_bytes(
        legacy_bytes({name: (each.sums.reshape(-1), 512) for name, each in sums.items()})
    )
    del sums["blk.0.ffn_up.weight"]
    Path("hole.gguf").write_bytes(gguf_bytes(sums))
    return tmp_path


def quantize(*arguments: object) -> Result:
    return runner.invoke(app, ["quantize", *map(str, arguments)])


def without_spaces(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("file", ["new.gguf", "old.dat"])
def test_a_dry_run_shows_its_keys(checkpoint: Path, here: Path, file: str) -> None:
    done = quantize(checkpoint, "--dry-run", "--json", "-r", "q4_0", "--imatrix", file)
    assert done.exit_code == 0, done.output
    plan = json.loads(done.stdout)
    assert plan["metadata"]["quantize.imatrix.file"] == file
    assert plan["metadata"][CHUNKS] == 128
    assert "warning" not in done.stderr


def test_a_file_made_with_one_says_so(checkpoint: Path, here: Path) -> None:
    words = (checkpoint, "-r", "Q2_K_S", "--no-manifest", "--no-modelfile")
    refused = quantize(*words)
    assert refused.exit_code == 1
    assert "--imatrix" in refused.stderr
    done = quantize(*words, "--imatrix", "new.gguf")
    assert done.exit_code == 0, done.output
    file = read_gguf(here / "Tiny-1B-Q2_K_S.gguf")
    assert list(file.metadata)[-1] == CHUNKS
    assert file.text("quantize.imatrix.dataset") == "calibration.txt"
    types = {tensor.name: tensor.type for tensor in file.tensors}
    assert types["blk.0.ffn_up.weight"] is not GgmlType.F32


def test_a_hole_is_a_warning_where_no_type_needs_it(checkpoint: Path, here: Path) -> None:
    done = quantize(checkpoint, "--dry-run", "--imatrix", "hole.gguf")
    assert done.exit_code == 0
    assert "warning: the importance matrix says nothing about blk.0.ffn_up.weight" in (
        without_spaces(done.stderr)
    )
    done = quantize(checkpoint, "--dry-run", "-r", "Q2_K_S", "--imatrix", "hole.gguf")
    assert done.exit_code == 1
    assert "says nothing about blk.0.ffn_up.weight" in done.stderr


def test_another_models_matrix_is_refused_before_anything_is_written(here: Path) -> None:
    done = quantize("demo", "--imatrix", "new.gguf")
    assert done.exit_code == 1
    assert "new.gguf: blk.0." in done.stderr
    assert "expected: 768 values" in done.stderr
    assert not list(here.glob("*Q4_K_M*"))


def test_what_is_no_matrix_is_refused_before_the_checkpoint_is_read(here: Path) -> None:
    Path("some.txt").write_text("not at all\n")
    done = quantize("no-such-model", "--imatrix", "some.txt")
    assert done.exit_code == 1
    assert "some.txt: not an importance matrix" in done.stderr
    assert quantize("demo", "--imatrix", "none.gguf").exit_code == 1
