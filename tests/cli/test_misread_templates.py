"""Templates whose thoughts llama.cpp does not see: said, and put right, by the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.preparation.llama_cpp import is_misread
from support.chat_templates import MISREAD, OPENS
from support.checkpoints import byte_tokenizer, write_checkpoint

SAID = "does not see that this chat template's model thinks"


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tokenizer = byte_tokenizer(
        user_defined=("<think>", "</think>"), chat_template=MISREAD["in brackets"]
    )
    return write_checkpoint(tmp_path / "Tiny-1B", tokenizer=tokenizer)


def run(*arguments: object) -> Result:
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done


def words(text: str) -> str:
    return " ".join(text.split())


def test_quantize_puts_it_right_and_says_so(checkpoint: Path) -> None:
    done = run("quantize", checkpoint, "a.gguf", "-r", "F16")
    assert "a comment tells llama.cpp that the model thinks" in words(done.stderr)
    template = run("inspect", "a.gguf", "--template").stdout
    assert not is_misread(template)
    assert MISREAD["in brackets"] in template
    assert SAID not in run("inspect", "a.gguf").stdout
    assert run("verify", "a.gguf", "--source", checkpoint).exit_code == 0


def test_what_is_left_as_it_is_is_named(checkpoint: Path) -> None:
    done = run("quantize", checkpoint, "a.gguf", "-r", "F16", "--no-repair")
    assert SAID in words(done.stderr)
    shown = words(run("inspect", "a.gguf").stdout)
    assert SAID in shown
    assert "{# content.split('</think>') #}" in shown
    oddities = json.loads(run("inspect", "a.gguf", "--json").stdout)["oddities"]
    assert any(SAID in str(oddity) for oddity in oddities)


def test_set_says_so_of_a_template_that_is_given(checkpoint: Path, tmp_path: Path) -> None:
    run("quantize", checkpoint, "a.gguf", "-r", "F16")
    (tmp_path / "misread.jinja").write_text(MISREAD["other quotes"])
    (tmp_path / "seen.jinja").write_text(OPENS)
    assert SAID in words(run("set", "a.gguf", "--chat-template", "misread.jinja").stderr)
    assert SAID not in words(run("set", "a.gguf", "--chat-template", "seen.jinja").stderr)
