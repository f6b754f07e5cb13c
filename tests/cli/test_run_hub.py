"""`qwq-gguf run ORG/NAME`: from a Hub to a chat, of a checkpoint and of a repository of GGUFs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.cli.terminal import telling
from qwq_gguf.cli.terminal.progress import StreamBar
from qwq_gguf.resources import demo_checkpoint
from support.hub import LoopbackHub

REPO = "tiny/QwQ-Demo"
GGUFS = "tiny/Talker-GGUF"
ASK = ("-p", "What is 7*43?", "--seed", "1", "-q")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models"
    monkeypatch.setenv("QWQ_GGUF_MODELS", str(folder))
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["run", *map(str, words)])


def test_a_checkpoint_is_shown_streamed_made_and_the_next_time_at_once(
    hub: LoopbackHub, models: Path, tmp_path: Path
) -> None:
    hub.add_folder(REPO, demo_checkpoint())
    refused = run(REPO, *ASK)
    assert refused.exit_code == 1
    assert "--yes does it" in refused.stderr
    for word in (f"to run {REPO}", "recipe ", "download   9.", "disk ", "computing", "kept as"):
        assert word in refused.stderr
    assert not models.exists()
    assert all(each.span for each in hub.seen("file=")), "nothing but headers"
    done = run(REPO, "--yes", *ASK)
    assert done.exit_code == 0, done.output
    assert "301" in done.stdout
    whole = [each for each in hub.seen("GET .*file=") if each.span is None]
    assert len(whole) == 2, "each shard came once"
    assert not list((tmp_path / "hf").rglob("*.safetensors")), "and none is kept"
    before = len(hub.requests)
    again = run(REPO, *ASK)
    assert again.stdout == done.stdout
    assert len(hub.requests) == before, "nobody is asked"


def test_a_repository_of_ggufs_gives_the_usual_one_or_the_one_that_is_named(
    hub: LoopbackHub, models: Path, talker: Path
) -> None:
    hub.add(GGUFS, {"Talker-Q4_K_M.gguf": talker, "Talker-Q8_0.gguf": talker, "README.md": b"#"})
    shown = json.loads(run(GGUFS, "--dry-run", "--json").stdout)
    assert shown["path"].endswith("Talker-Q4_K_M.gguf")
    assert shown["download_bytes"] == talker.stat().st_size
    assert run(GGUFS, *ASK).exit_code == 1, "nobody said yes"
    assert hub.seen("file=") == []
    done = run(GGUFS, "--yes", *ASK)
    assert done.exit_code == 0, done.output
    assert "301" in done.stdout
    assert len(hub.seen("GET .*file=")) == 1
    before = len(hub.requests)
    assert run(GGUFS, *ASK).stdout == done.stdout
    assert len(hub.requests) == before, "nobody is asked"
    other = json.loads(run(f"{GGUFS}:Q8_0", "--dry-run", "--json").stdout)
    assert other["path"].endswith("Talker-Q8_0.gguf")
    recipe = run(GGUFS, "-r", "Q6_K", *ASK)
    assert recipe.exit_code == 2
    assert "a GGUF already" in recipe.stderr


def test_fit_takes_a_repository_of_ggufs(hub: LoopbackHub, models: Path, talker: Path) -> None:
    hub.add(GGUFS, {"Talker-Q4_K_M.gguf": talker, "Talker-Q8_0.gguf": talker})
    command = ["fit", GGUFS, "--device", "24GB", "--ram", "16GB", "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert len(shown["rows"]) == 1
    assert shown["rows"][0]["making_seconds"] == 0
    assert shown["commands"] == [] or shown["commands"][0].startswith(f"qwq-gguf chat {GGUFS}")


def test_interrupted_it_goes_on_unasked(
    hub: LoopbackHub, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of making it while its shards come."""
    hub.add_folder(REPO, demo_checkpoint())
    left = 20

    def press(*_: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(telling, "may_draw", lambda: True)  # else nobody draws a bar
        patch.setattr(StreamBar, "update", press)
        assert run(REPO, "-r", "Q8_0", "--yes", *ASK).exit_code == 130
    assert [path for path in models.iterdir() if path.name.endswith(".partial")]
    done = run(REPO, "-r", "Q8_0", "-p", "What is 7*43?", "--seed", "1")
    assert done.exit_code == 0, done.output
    assert "301" in done.stdout
    assert "going on at" in done.stderr
