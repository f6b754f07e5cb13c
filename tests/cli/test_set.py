"""`qwq-gguf set` as people type it."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.gguf_file import read_gguf
from support.chat_templates import QWQ
from support.tiny_gguf import write_random

runner = CliRunner()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_random(tmp_path / "model.gguf")


def set_(*arguments: object) -> Result:
    return runner.invoke(app, ["set", *map(str, arguments)])


def test_a_profile_first_by_a_copy_then_in_place(model: Path) -> None:
    done = set_(model, "--profile", "qwq")
    assert done.exit_code == 0, done.output
    assert "general.sampling.sequence: (none) -> temperature;top_k" in done.stdout
    assert "written anew" in done.stderr
    assert "presence penalty" in done.stderr
    assert read_gguf(model).text("qwq_gguf.profile") == "qwq"
    again = set_(model, "--profile", "qwq")
    assert again.stdout == ""
    assert "says all of this already" in again.stderr
    other = set_(model, "--profile", "llama-cpp", "--kv", "general.name=Renamed")
    assert "changed in place" in other.stderr
    assert read_gguf(model).text("general.name") == "Renamed"


def test_a_modelfile_that_says_what_the_file_no_longer_says_is_named(tmp_path: Path) -> None:
    out = tmp_path / "made.gguf"
    assert runner.invoke(app, ["quantize", "demo", str(out)]).exit_code == 0
    modelfile = tmp_path / "made.Modelfile"
    before = modelfile.read_bytes()
    done = set_(out, "--kv", "general.sampling.temp=0.9")
    assert modelfile.read_bytes() == before
    command = next(line for line in done.stderr.splitlines() if "modelfile" in line.split())
    assert runner.invoke(app, shlex.split(command)[1:]).exit_code == 0
    assert b"PARAMETER temperature 0.9" in modelfile.read_bytes()
    assert "Modelfile" not in set_(out, "--kv", "general.sampling.temp=0.8", "--dry-run").stderr
    modelfile.unlink()
    assert "Modelfile" not in set_(out, "--kv", "general.sampling.temp=0.7").stderr


def test_the_manifest_follows_but_vouches_for_no_other_weights(tmp_path: Path) -> None:
    out = tmp_path / "made.gguf"
    made = runner.invoke(app, ["quantize", "demo", str(out), "--no-modelfile", "--manifest"])
    assert made.exit_code == 0, made.output
    manifest = tmp_path / "made.manifest.json"
    before = json.loads(manifest.read_text(encoding="utf-8"))
    done = set_(out, "--profile", "qwen-llama-cpp", "--kv", "general.name=Other")
    assert "changed in place" in done.stderr
    after = json.loads(manifest.read_text(encoding="utf-8"))
    assert after["file"]["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert after["tensors"] == before["tensors"]
    assert after["options"]["set"] == [{"profile": "qwen-llama-cpp", "kv": ["general.name=Other"]}]
    assert runner.invoke(app, ["verify", str(out)]).exit_code == 0
    raw = bytearray(out.read_bytes())
    raw[-100] ^= 1
    out.write_bytes(raw)
    again = set_(out, "--kv", "general.name=Third")
    assert "weights are not those of its manifest" in again.stderr
    assert json.loads(manifest.read_text(encoding="utf-8")) == after


def test_a_dry_run_writes_nothing(model: Path, tmp_path: Path) -> None:
    before = model.read_bytes()
    template = tmp_path / "t.jinja"
    template.write_text(QWQ, encoding="utf-8")
    done = set_(model, "--chat-template", template, "--yarn", "4", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "tokenizer.chat_template:" in done.stdout
    assert "warning: YaRN" in done.stderr
    assert model.read_bytes() == before


def test_what_cannot_be_done(model: Path, tmp_path: Path) -> None:
    assert set_(model).exit_code == 2
    assert set_(model, "--kv", "nonsense").exit_code == 1
    assert set_(model, "--profile", "qqq").exit_code == 1
    assert set_(tmp_path / "none.gguf", "--yarn", "2").exit_code == 1
    assert set_(model, "--chat-template", tmp_path / "none.jinja").exit_code == 1
    binary = tmp_path / "b.jinja"
    binary.write_bytes(b"\xff\xfe")
    refused = set_(model, "--chat-template", binary)
    assert refused.exit_code == 1
    assert "not UTF-8" in refused.stderr
