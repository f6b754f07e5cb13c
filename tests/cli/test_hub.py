"""Commands on models of the Hub, as people type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.checkpoint import locate_gguf
from qwq_gguf.cli.app import app
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.jobs.fetching import ollama_name
from support.checkpoints import write_checkpoint
from support.demo import make_demo
from support.hub import LoopbackHub
from support.hub_fixtures import hub_environment

REPO = "Qwen/Tiny-1B"
GGUF = "bartowski/Tiny-1B-GGUF"
runner = CliRunner()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "Tiny-1B", shards=2)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: object) -> Result:
    return runner.invoke(app, [*map(str, arguments)])


def test_a_dry_run_downloads_no_weights(hub: LoopbackHub, checkpoint: Path, here: Path) -> None:
    hub.add_folder(REPO, checkpoint)
    planned = run("quantize", REPO, "--dry-run", "--json")
    assert planned.exit_code == 0, planned.output
    assert planned.stderr == ""
    local = json.loads(run("quantize", checkpoint, "--dry-run", "--json").stdout)
    remote = json.loads(planned.stdout)
    assert remote["tensors"] == local["tensors"]
    assert all(request.span for request in hub.seen("file="))
    assert list(here.iterdir()) == []


def test_quantize_from_the_hub_in_a_process_of_its_own(
    hub: LoopbackHub, checkpoint: Path, here: Path, tmp_path: Path
) -> None:
    hub.add_folder(REPO, checkpoint, private=True)
    program = "from qwq_gguf.cli.main import main; main()"
    line = [sys.executable, "-W", "error", "-c", program, "quantize", REPO, "q8_0"]
    environment = {**os.environ, **hub_environment(hub.url, tmp_path / "hf")}
    environment["HF_TOKEN"] = hub.good_token
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert hub.good_token not in done.stderr
    assert run("quantize", checkpoint, "local.gguf", "q8_0", "--no-modelfile").exit_code == 0
    remote, local = read_gguf(here / "Tiny-1B-Q8_0.gguf"), read_gguf(here / "local.gguf")
    weights = (here / "Tiny-1B-Q8_0.gguf").read_bytes()[remote.data_offset :]
    assert weights == (here / "local.gguf").read_bytes()[local.data_offset :]
    assert remote.text("general.organization") == "Qwen"


def test_an_output_that_is_there_is_seen_before_the_download(
    hub: LoopbackHub, checkpoint: Path, here: Path
) -> None:
    hub.add_folder(REPO, checkpoint)
    (here / "Tiny-1B-Q4_K_M.gguf").write_bytes(b"precious")
    refused = run("quantize", REPO)
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert all(request.span for request in hub.seen("file="))


def test_a_revision_and_a_token(hub: LoopbackHub, checkpoint: Path, here: Path) -> None:
    hub.add_folder(REPO, checkpoint, branch="v2", gated=True)
    refused = run("quantize", REPO, "--revision", "v2", "--dry-run")
    assert refused.exit_code == 1
    assert "gated" in refused.stderr
    assert f"{hub.url}/{REPO}" in refused.stderr
    words = ("quantize", f"{REPO}@v2", "--token", hub.good_token, "--dry-run")
    assert run(*words).exit_code == 0


def test_chat_with_a_gguf_of_the_hub(hub: LoopbackHub, talker: Path, here: Path) -> None:
    hub.add(GGUF, {"Tiny-1B-Q4_K_M.gguf": talker, "Tiny-1B-Q8_0.gguf": b"other"})
    done = run("chat", GGUF, "-p", "Hi", "--seed", "1")
    assert done.exit_code == 0, done.output
    assert "301" in done.stdout
    assert {request.path.rsplit("=")[-1] for request in hub.seen("file=")} == {
        "Tiny-1B-Q4_K_M.gguf"
    }


@pytest.mark.parametrize(
    "words",
    [
        ("chat", GGUF, "-p", "What is 7*43?", "--seed", "1"),
        ("inspect", GGUF),
        ("modelfile", GGUF),
        ("export", "vllm", GGUF),
        ("eval", "thinking", GGUF, "--suite", "skills", "--limit", "1"),
        ("profiles", "--compare", "qwq", "llama-cpp", "-m", GGUF, "-p", "Hi"),
    ],
    ids=lambda words: words[0],
)
def test_a_header_that_was_fetched_alone_is_enough(
    hub: LoopbackHub, demo: Path, here: Path, words: tuple[str, ...]
) -> None:
    """A vocabulary of usual length is read late, when the fetched header may be gone."""
    hub.add(GGUF, {"Tiny-1B-Q4_K_M.gguf": demo})
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert tempfile.gettempdir() + "/qwq-gguf-" not in done.output  # where it was


def test_chat_with_a_quant_that_is_not_there(hub: LoopbackHub, talker: Path) -> None:
    hub.add(GGUF, {"Tiny-1B-Q4_K_M.gguf": talker})
    refused = run("chat", f"{GGUF}:Q2_K", "-p", "Hi")
    assert refused.exit_code == 1
    assert "one of Q4_K_M" in refused.stderr


@pytest.mark.parametrize("command", ["chat", "modelfile"])
def test_a_checkpoint_where_a_gguf_is_needed(
    hub: LoopbackHub, checkpoint: Path, command: str
) -> None:
    hub.add_folder(REPO, checkpoint)
    own = () if command == "chat" else ("demo",)  # which a chat quantizes by itself
    for source in (REPO, checkpoint, *own):
        refused = run(command, source, *(["-p", "Hi"] if command == "chat" else []))
        assert refused.exit_code == 1
        assert f"qwq-gguf quantize {source}" in refused.stderr


def test_a_modelfile_of_a_mirror_names_the_file(hub: LoopbackHub, talker: Path, here: Path) -> None:
    hub.add(GGUF, {"Tiny-1B-Q4_K_M.gguf": talker})
    made = run("modelfile", GGUF)
    assert made.exit_code == 0, made.output
    (line,) = [line for line in made.stdout.splitlines() if line.startswith("FROM ")]
    named = Path(line.removeprefix("FROM ").strip('"'))
    assert (here / named).resolve().read_bytes() == talker.read_bytes()


def test_what_ollama_would_pull(
    hub: LoopbackHub, talker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the public Hub, Ollama can bring the file itself."""
    split = {f"m-BF16-0000{part}-of-00002.gguf": talker for part in (1, 2)}
    twins = {"a-Q8_0.gguf": talker, "b-Q8_0.gguf": talker}
    hub.add(GGUF, {"m-Q4_K_M.gguf": talker, **split, **twins})
    hub.add(GGUF, {"m-Q4_K_M.gguf": talker}, branch="v2")
    monkeypatch.setattr("qwq_gguf.checkpoint.hub.settings.DEFAULT_ENDPOINT", hub.url)

    def name(tag: str) -> str | None:
        return ollama_name(locate_gguf(f"{GGUF}{tag}", fetch=False))

    assert name("") == f"hf.co/{GGUF}:Q4_K_M"
    assert name(":a-q8_0.gguf") == f"hf.co/{GGUF}:a-Q8_0.gguf"
    assert name(":BF16") is None
    assert name("@v2") is None
    made = run("modelfile", GGUF)
    assert f"FROM hf.co/{GGUF}:Q4_K_M\n" in made.stdout
    assert not hub.seen("GET .*BF16")
    assert all(request.span for request in hub.seen("file="))
