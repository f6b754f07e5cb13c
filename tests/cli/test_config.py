"""`qwq-gguf config`, and what a configuration does to other commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("QWQ_GGUF_CONFIG", str(path))
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def settings() -> dict[str, tuple[object, str]]:
    found = json.loads(run("config", "--json").stdout)["settings"]
    return {each["setting"]: (each["value"], each["from"]) for each in found}


def test_what_counts_and_from_where(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings()["profile"] == ("auto", "the default")
    config.write_text(
        'profile = "qwq"\n[chat]\nctx = 4096\nthink = false\n[eval.thinking]\nlimit = 3\n'
        '[quantize]\nrecipe = "Q6_K"\nkv = ["a.b=int:1"]\n'
    )
    monkeypatch.setenv("QWQ_GGUF_CHAT_CTX", "8192")
    monkeypatch.setenv("QWQ_GGUF_THREADS", "2")
    found = settings()
    assert found["profile"] == ("qwq", str(config))
    assert found["threads"] == (2, "QWQ_GGUF_THREADS")
    assert found["chat --ctx"] == ("8192", "QWQ_GGUF_CHAT_CTX")
    assert found["chat --think"] == (False, str(config))
    assert found["eval thinking --limit"] == (3, str(config))
    assert found["quantize --recipe"] == (["Q6_K"], str(config))
    shown = run("config")
    assert "QWQ_GGUF_CHAT_CTX" in shown.stdout
    assert run("config", "--path").stdout.strip() == str(config)


def test_flags_are_as_configured_and_a_typed_one_counts(config: Path) -> None:
    config.write_text('[quantize]\nrecipe = ["Q6_K"]\ndry-run = true\n')
    plan = json.loads(run("quantize", "demo", "--json").stdout)
    assert plan["recipe"] == "Q6_K"
    plan = json.loads(run("quantize", "demo", "-r", "Q8_0", "--json").stdout)
    assert plan["recipe"] == "Q8_0"


def test_a_profile_for_good_is_for_running_only(config: Path, talker: Path) -> None:
    config.write_text('profile = "llama-cpp"\n')
    chain = json.loads(run("chat", talker, "--show-chain", "--json").stdout)
    assert chain["profile"] == "llama-cpp"
    made = json.loads(run("quantize", "demo", "--dry-run", "--json").stdout)
    assert made["metadata"]["qwq_gguf.profile"] == "qwq"


def test_an_alias_is_a_model(config: Path, talker: Path) -> None:
    config.write_text(f'[aliases]\nmine = "{talker}"\n')
    assert json.loads(run("inspect", "mine", "--json").stdout)["path"] == str(talker)


@pytest.mark.parametrize(
    ("text", "command", "words"),
    [
        ("[chat]\nctxx = 1\n", "chat", "did you mean ctx?"),
        ("[chat]\njson = true\n", "chat", "no flag --json"),
        ("[chatt]\nctx = 1\n", "config", "did you mean chat?"),
        ('[alias]\nmine = "demo"\n', "config", "did you mean aliases?"),
        ("threads = 0\n", "quantize", "threads must be a whole number"),
    ],
)
def test_a_mistake_is_named_and_help_still_helps(
    text: str, command: str, words: str, config: Path
) -> None:
    config.write_text(text)
    refused = run(command, *([] if command == "config" else ["demo"]))
    assert refused.exit_code == 1, refused.output
    assert words in refused.stderr
    assert str(config) in refused.stderr
    assert run(command, "--help").exit_code == 0


def test_a_value_of_the_wrong_kind_is_wrong_usage(config: Path, talker: Path) -> None:
    config.write_text('[chat]\nctx = "many"\n')
    refused = run("chat", talker, "-p", "Hi")
    assert refused.exit_code == 2
    assert "--ctx" in refused.stderr


def test_a_theme_for_good(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    config.write_text('theme = "no-color"\n')
    run("recipes")
    assert os.environ["NO_COLOR"] == "1"
    monkeypatch.delenv("NO_COLOR", raising=False)
    config.write_text('theme = "plain"\n')
    run("recipes")
    assert os.environ["TERM"] == "dumb"
