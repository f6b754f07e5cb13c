"""`quantize` lets a file carry its profile, and says what it changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.gguf_file import read_gguf
from support.chat_templates import QWQ
from support.checkpoints import byte_tokenizer, write_checkpoint

runner = CliRunner()


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "Thinker"
    template = QWQ.replace("im_end", "endoftext")
    return write_checkpoint(
        folder,
        tokenizer=byte_tokenizer(chat_template=template),
        generation_config={"top_k": 7},
    )


def quantize(folder: Path, out: Path, *flags: str) -> Result:
    done = runner.invoke(app, ["quantize", str(folder), str(out), "--no-modelfile", *flags])
    assert done.exit_code == 0, done.output
    return done


def test_the_profile_and_the_repairs_are_written_and_said(thinker: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gguf"
    done = quantize(thinker, out)
    file = read_gguf(out)
    assert file.text("general.sampling.sequence") == "temperature;top_k;top_p;min_p;penalties"
    assert file.integer("general.sampling.top_k") == 40
    assert "set: general.sampling.*: those of profile qwq" in done.stderr
    assert "set: end of sequence:" in done.stderr
    assert "note: not in general.sampling.*: presence penalty" in done.stderr
    dry = quantize(thinker, out, "--dry-run", "--json")
    assert json.loads(dry.stdout)["file_bytes"] == out.stat().st_size


def test_the_flags_leave_the_checkpoint_its_say(thinker: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.gguf"
    done = quantize(thinker, out, "--no-sampling-metadata", "--no-repair")
    file = read_gguf(out)
    assert file.text("general.sampling.sequence") is None
    assert file.integer("general.sampling.top_k") == 7
    assert "set:" not in done.stderr
    mine = quantize(thinker, tmp_path / "b.gguf", "--override-kv", "general.sampling.top_k=int:20")
    assert read_gguf(tmp_path / "b.gguf").integer("general.sampling.top_k") == 20
    assert "set:" in mine.stderr
