"""`qwq-gguf run` and `models`: shown, agreed to, kept, and at once the next time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.errors import QwqGgufError
from qwq_gguf.jobs import running
from qwq_gguf.jobs.configuration import Configuration, Said
from qwq_gguf.jobs.events import Event, silent
from qwq_gguf.jobs.recipe_choosing import choose


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models"
    monkeypatch.setenv("QWQ_GGUF_MODELS", str(folder))
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


ASK = ("-p", "What is 7*43?", "--seed", "1")


def test_shown_first_and_done_after_a_yes(models: Path) -> None:
    shown = run("run", "demo", "--dry-run")
    assert shown.exit_code == 0, shown.output
    for word in ("recipe     Q4_K_M", "download   nothing", "disk ", "computing", "context"):
        assert word in shown.stderr
    refused = run("run", "demo", *ASK)
    assert refused.exit_code == 1
    assert "--yes does it" in refused.stderr
    assert not models.exists()
    done = run("run", "demo", "--yes", *ASK)
    assert done.exit_code == 0, done.output
    assert "301" in done.stdout
    # And now at once: nothing is asked, planned or made.
    again = run("run", "demo", *ASK, "-q", "--json")
    assert again.exit_code == 0, again.output
    assert "301" in json.loads(again.stdout)["answer"]
    assert again.stderr == ""
    by_name = run("chat", "QwQ-Demo", *ASK, "-q")
    assert "301" in by_name.stdout, "other commands know it, too"
    listed = json.loads(run("models", "--json").stdout)
    (kept,) = listed["models"]
    assert kept["source"] == "demo"
    assert kept["bytes"] > 2_000_000
    assert run("models", "QwQ-Demo", "--path").stdout.strip() == kept["path"]
    assert "today" in run("models").stdout
    assert run("models", "QwQ-Demo", "--remove").exit_code == 0
    assert Path(kept["path"]).is_file(), "nobody said yes"
    assert run("models", "QwQ-Demo", "--remove", "--yes").exit_code == 0
    assert list(models.iterdir()) == []
    assert run("models", "QwQ-Demo").exit_code == 1
    assert run("models", "--remove").exit_code == 2


def test_what_was_interrupted_goes_on_unasked(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle: the next run has to make it and does not ask again."""
    from qwq_gguf.jobs import quantizing

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(quantizing, "make", interrupted)
        assert run("run", "demo", "--yes", *ASK).exit_code == 130
    assert "not made yet" in run("models").stdout
    assert run("run", "demo", "-r", "Q8_0", *ASK).exit_code == 1, "that is another one"
    done = run("run", "demo", *ASK)
    assert done.exit_code == 0, done.output
    assert "301" in done.stdout


def configured(folder: Path) -> Configuration:
    return Configuration(folder, general={"models": Said(str(folder), "here")})


def plan(source: str, folder: Path, **more: Any) -> running.RunPlan:
    wanted = running.RunWanted(source, more.pop("recipe", None))
    return running.plan_run(wanted, configured(folder), silent, **more)


class Fitted:
    """As `jobs.fitting.best_fit` tells it."""

    candidate = SimpleNamespace(recipe="Q8_0")
    placed = SimpleNamespace(context=4000)


def test_recipe_and_context_are_what_fits(tmp_path: Path) -> None:
    found = plan("demo", tmp_path, best_fit=lambda source, **_: Fitted())
    assert (found.kept.recipe, found.kept.context) == ("Q8_0", 4000)
    assert found.disk == 5372608
    asked = plan("demo", tmp_path, recipe="q6_k", best_fit=lambda source, **_: Fitted())
    assert (asked.kept.recipe, asked.kept.context) == ("Q6_K", None)
    assert choose("x", best_fit=lambda source, **_: None).recipe == "Q4_K_M"


def test_a_file_is_run_where_it_lies(talker: Path, models: Path) -> None:
    found = plan(str(talker), models)
    assert found.ready
    assert not found.recorded
    with pytest.raises(QwqGgufError, match="a GGUF already"):
        plan(str(talker), models, recipe="Q6_K")


def test_two_models_of_one_name_get_files_of_their_own(
    tmp_path: Path, demo_copies: Callable[[str], Path]
) -> None:
    folder = tmp_path / "models"
    heard: list[Event] = []
    one, two = (str(demo_copies(name)) for name in ("a/Model", "b/Model"))
    first = plan(one, folder)
    running.carry_out(first, configured(folder), heard.append)
    second = plan(two, folder)
    assert first.kept.path != second.kept.path
    assert not second.ready
    assert plan(one, folder).ready


@pytest.fixture
def demo_copies(tmp_path: Path) -> Callable[[str], Path]:
    from qwq_gguf.resources import demo_checkpoint

    def copy(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for file in demo_checkpoint().iterdir():
            if file.is_file():
                shutil.copyfile(file, folder / file.name)
        return folder

    return copy


def test_it_serves(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `serve` does with a file is its own business: that it gets one, and its flags."""
    from qwq_gguf.cli.commands import run as command

    asked: list[tuple[str, list[str]]] = []
    with monkeypatch.context() as patch:
        patch.setattr(command, "_go_on", lambda name, words: asked.append((name, words)))
        done = run("run", "demo", "--yes", "--serve", "--port", "8099")
    assert done.exit_code == 0, done.output
    ((name, words),) = asked
    assert name == "serve"
    assert Path(words[0]).is_file()
    assert words[-2:] == ["--port", "8099"]
    assert run("run", "demo", "--serve", "--json").exit_code == 2
    assert "no such option" in run("run", "demo", "--serve", "--no-such-flag").stderr.lower()
