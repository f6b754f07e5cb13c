"""`qwq-gguf fix`: looks, shows, and changes nothing unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.gguf_file import read_gguf
from support.ollama_store import put_model
from support.tiny_gguf import write_random

QWQ = ("registry.ollama.ai", "library", "qwq", "latest")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)
    return folder


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    return write_random(tmp_path / "QwQ-Tiny.gguf", context=40_960)


@pytest.fixture
def store(here: Path, tmp_path: Path, gguf: Path) -> Path:
    store = tmp_path / ".ollama" / "models"
    put_model(store, gguf, *QWQ, params={"temperature": 0.6, "repeat_penalty": 1.1})
    return store


@pytest.fixture
def studio(here: Path, tmp_path: Path) -> Path:
    folder = tmp_path / ".lmstudio" / "models" / "qwen" / "qwq"
    folder.mkdir(parents=True)
    return write_random(folder / "QwQ-Tiny.gguf", context=40_960)


def fix(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["fix", *map(str, arguments)])


def test_a_name_of_ollama(store: Path, here: Path) -> None:
    shown = fix("qwq")
    assert shown.exit_code == 0, shown.output
    assert "repeat penalty: the repeat penalty is 1.1" in shown.stdout
    assert "nothing was changed" in shown.stderr
    assert list(here.iterdir()) == []
    done = fix("qwq", "--yes")
    assert done.exit_code == 0, done.output
    lines = (here / "qwq-fixed.Modelfile").read_text().splitlines()
    assert "FROM qwq" in lines
    assert "PARAMETER num_predict 14336" in lines
    assert "PARAMETER repeat_penalty 1.0" in lines
    assert "ollama create qwq-fixed -f qwq-fixed.Modelfile" in done.stderr
    assert fix("qwq", "--yes").exit_code == 0, "our own may be replaced"
    (here / "qwq-fixed.Modelfile").write_text("FROM mine")
    refused = fix("qwq", "--yes")
    assert refused.exit_code == 1
    assert (here / "qwq-fixed.Modelfile").read_text() == "FROM mine"
    assert fix("qwq", "--yes", "--force").exit_code == 0


def test_as_json(store: Path, here: Path) -> None:
    found = json.loads(fix("qwq", "--json").stdout)
    assert found["schema"] == "qwq-gguf/fix/1"
    assert found["changed"] is False
    assert "endless" in [trouble["kind"] for trouble in found["troubles"]]
    (cure,) = found["cures"]
    assert cure["text"].startswith("# Written by qwq-gguf")
    assert list(here.iterdir()) == []
    assert json.loads(fix("qwq", "--json", "--yes").stdout)["changed"] is True
    assert [path.name for path in here.iterdir()] == ["qwq-fixed.Modelfile"]


def test_a_file_gets_its_order_and_a_modelfile_beside_it(here: Path, gguf: Path) -> None:
    before = gguf.read_bytes()
    assert "keys of" in fix(gguf).stdout
    assert gguf.read_bytes() == before
    done = fix(gguf, "--yes")
    assert done.exit_code == 0, done.output
    order = read_gguf(gguf).text("general.sampling.sequence")
    assert order is not None
    assert order.startswith("temperature;")
    assert gguf.with_name("QwQ-Tiny.Modelfile").is_file()
    again = json.loads(fix(gguf, "--json").stdout)
    assert "order" not in [trouble["kind"] for trouble in again["troubles"]]
    assert [cure["kind"] for cure in again["cures"]] == ["file"]


def test_an_author_s_numbers_stay(here: Path, tmp_path: Path) -> None:
    path = write_random(
        tmp_path / "QwQ-Own.gguf", context=40_960, keys={"general.sampling.temp": 0.55}
    )
    assert fix(path, "--yes").exit_code == 0
    metadata = read_gguf(path).metadata
    assert metadata["general.sampling.temp"].value == pytest.approx(0.55)
    assert "general.sampling.sequence" in metadata


def test_a_link_is_left_alone(here: Path, gguf: Path) -> None:
    (here / "link.gguf").symlink_to(gguf)
    before = gguf.read_bytes()
    assert fix("link.gguf", "--yes").exit_code == 0
    assert gguf.read_bytes() == before


def test_lm_studio(studio: Path, tmp_path: Path) -> None:
    settings = tmp_path / ".lmstudio" / ".internal" / "user-concrete-model-default-config"
    target = settings / "qwen" / "qwq" / "QwQ-Tiny.gguf.json"
    for named in (studio, studio.parent, "qwen/qwq"):
        words = (named, "--runtime", "lmstudio") if isinstance(named, str) else (named,)
        found = json.loads(fix(*words, "--json").stdout)
        assert found["runtime"] == "lmstudio"
        assert found["model"] == "qwen/qwq/QwQ-Tiny.gguf"
        assert not target.exists()
    assert fix(studio, "--yes").exit_code == 0
    keys = {field["key"] for field in json.loads(target.read_text())["operation"]["fields"]}
    assert {"llm.prediction.repeatPenalty", "llm.prediction.reasoning.budgetTokens"} <= keys
    cured = fix(studio)
    assert "nothing is wrong" in cured.stdout
    assert cured.exit_code == 0
    target.write_text("[]")
    assert fix(studio).exit_code == 1


@pytest.mark.parametrize("words", [("qwqq",), ("none.gguf",), (".",), ("x", "--runtime", "vllm")])
def test_what_leads_nowhere(words: tuple[str, ...], store: Path) -> None:
    refused = fix(*words)
    assert refused.exit_code == (2 if "vllm" in words else 1)
    assert refused.stdout == ""
    if words == ("qwqq",):
        assert "did you mean qwq?" in refused.stderr


def test_an_answer_is_waited_for_at_a_terminal(
    store: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import qwq_gguf.cli.commands.fix as module

    monkeypatch.setattr(module, "agreed", lambda question, *, yes: True)
    assert fix("qwq").exit_code == 0
    assert (here / "qwq-fixed.Modelfile").is_file()


def test_without_a_name_it_lists_what_is_here(store: Path, studio: Path) -> None:
    shown = fix()
    assert shown.exit_code == 0, shown.output
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert ["qwq", "Ollama"] in rows
    assert [str(studio), "LM", "Studio"] in rows
    assert "qwq-gguf fix qwq" in shown.stderr
    listed = json.loads(fix("--json").stdout)["models"]
    for each in listed:
        assert fix(each["name"], "--json").exit_code == 0
    assert [each["runtime"] for each in listed] == ["Ollama", "LM Studio"]


def test_nothing_is_here(here: Path) -> None:
    shown = fix()
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert "no model here" in shown.stderr
    assert json.loads(fix("--json").stdout)["models"] == []
