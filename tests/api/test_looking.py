"""`inspect`, `verify` and `export` give what their commands print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import qwq_gguf
from qwq_gguf.cli.app import app
from qwq_gguf.errors import ExportError, UsageError


def command(*words: object) -> str:
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code in (0, 1), done.output
    return done.stdout


def test_inspect(demo: Path) -> None:
    found = qwq_gguf.inspect(demo)
    assert found.to_json() == json.loads(command("inspect", demo, "--json"))
    assert found.profile == "qwq"
    assert found.summary.architecture == "qwen2"
    tokens = found.summary.metadata["tokenizer.ggml.tokens"]
    assert len(tokens.items) == found.summary.vocabulary.tokens


def test_verify(demo: Path, tmp_path: Path) -> None:
    found = qwq_gguf.verify(demo, source="demo")
    assert found.ok
    assert found.to_json() == json.loads(command("verify", demo, "--source", "demo", "--json"))
    broken = tmp_path / "broken.gguf"
    content = bytearray(demo.read_bytes())
    content[-100] ^= 1
    broken.write_bytes(content)
    found = qwq_gguf.verify(broken, against=demo)
    assert not found.ok
    assert found.differences
    with pytest.raises(UsageError, match=r"^everything, imatrix and lora go with source"):
        qwq_gguf.verify(demo, everything=True)


def test_export(demo: Path, tmp_path: Path) -> None:
    typed, called = tmp_path / "typed", tmp_path / "called"
    command("export", "llama-server", demo, "-o", typed)
    made = qwq_gguf.export(demo, "llama-server", called)
    assert {path.name for path in made.files} == {path.name for path in typed.iterdir()}
    for path in made.files:
        assert path.read_text() == (typed / path.name).read_text()
    assert made.profile.name == "qwq"
    assert made.use
    with pytest.raises(UsageError, match="install needs user_repo"):
        qwq_gguf.export(demo, "lmstudio", tmp_path, install=True)
    with pytest.raises(ExportError, match="no exporter of this name"):
        qwq_gguf.export(demo, "olama", tmp_path)


def test_profiles_and_recipes_by_name() -> None:
    assert qwq_gguf.load_profile("qwq").name == "qwq"
    assert qwq_gguf.load_recipe("q4_k_m").name == "Q4_K_M"
    for wrong in (7, "", None):
        with pytest.raises(UsageError, match="name is a path or a name"):
            qwq_gguf.load_profile(wrong)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="name is a path or a name"):
            qwq_gguf.load_recipe(wrong)  # type: ignore[arg-type]
