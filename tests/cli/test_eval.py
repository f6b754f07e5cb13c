"""`qwq-gguf eval thinking`: figures, records, and nothing lost."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.json_text import to_json
from support.terminal import PROGRAM
from support.tiny_gguf import byte_level, vocab, write_bigram, write_random

runner = CliRunner()


@pytest.fixture(scope="module")
def parrot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that boxes 9 whatever it is asked."""
    texts = ["It is so.", "\n\n", r"\boxed{9}"]
    follows = {
        byte_level(b"\n"): byte_level(b"It is so."),
        byte_level(b"It is so."): "</think>",
        "</think>": byte_level(b"\n\n"),
        byte_level(b"\n\n"): byte_level(rb"\boxed{9}"),
    }
    path = tmp_path_factory.mktemp("parrot") / "parrot.gguf"
    return write_bigram(path, follows, words=vocab(texts))


def measure(*arguments: object) -> Result:
    return runner.invoke(app, ["eval", "thinking", *map(str, arguments), "-t", "1", "-c", "256"])


def test_a_table_of_figures(parrot: Path) -> None:
    done = measure(parrot, "--suite", "add", "--limit", 3, "--samples", 2)
    assert done.exit_code == 0, done.output
    header, _, row = done.stdout.splitlines()
    assert header.split() == [
        "profile", "skill", "right", "of", "accuracy", "unclosed", "mean", "median", "p95",
    ]  # fmt: skip
    assert row.split() == ["qwq", "add", "0", "6", "0.0", "%", "0", "2.0", "2", "2"]


def test_guessing_ahead_changes_no_figure(parrot: Path, tmp_path: Path) -> None:
    asked = (parrot, "--suite", "add", "--limit", 2, "--json")
    usual, ahead = (measure(*asked, *more) for more in ((), ("--speculate", "text")))
    assert ahead.exit_code == 0, ahead.output
    assert json.loads(ahead.stdout) == json.loads(usual.stdout)
    other = write_random(tmp_path / "other.gguf")
    assert "other tokens" in measure(*asked, "--speculate", other).stderr


def test_profiles_are_compared_on_the_same_problems_and_dice(parrot: Path, tmp_path: Path) -> None:
    records = tmp_path / "replies.jsonl"
    done = measure(
        parrot, "--suite", "multiply", "--limit", 2, "--profile", "qwq,llama-cpp", "--json",
        "--out", records, "--seed", 3,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["schema"] == "qwq-gguf/eval-thinking/1"
    assert (figures["file"], figures["suite"], figures["seed"]) == ("parrot.gguf", "multiply", 3)
    assert [entry["profile"] for entry in figures["profiles"]] == ["qwq", "llama-cpp"]
    for entry in figures["profiles"]:
        assert (entry["samples"], entry["unclosed"]) == (2, 0)
        assert entry["thinking_tokens"] == {"mean": 2.0, "median": 2.0, "p95": 2.0}
        assert list(entry["skills"]) == ["multiply"]

    samples = [json.loads(line) for line in records.read_text().splitlines()]
    assert [s["profile"] for s in samples] == ["qwq"] * 2 + ["llama-cpp"] * 2
    first, second = samples[:2], samples[2:]
    assert [(s["key"], s["seed"]) for s in first] == [(s["key"], s["seed"]) for s in second]
    assert {s["answer"] for s in samples} == {r"\boxed{9}"}


def test_the_file_chooses_the_profile(tmp_path: Path) -> None:
    file = write_random(tmp_path / "x.gguf", keys={"qwq_gguf.profile": "qwen-reference"})
    done = measure(file, "--suite", "add", "--limit", 1, "-n", 4)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[2].split()[0] == "qwen-reference"
    assert "profile qwen-reference: the file's qwq_gguf.profile names it" in done.stderr
    twice = measure(file, "--suite", "add", "--profile", "qwen-reference, auto")
    assert twice.exit_code == 2
    assert "one twice" in twice.stderr


def test_records_are_not_overwritten(parrot: Path, tmp_path: Path) -> None:
    records = tmp_path / "replies.jsonl"
    records.write_text("precious")
    refused = measure(parrot, "--suite", "add", "--limit", 1, "--out", records)
    assert refused.exit_code == 1
    assert records.read_text() == "precious"
    forced = measure(parrot, "--suite", "add", "--limit", 1, "--out", records, "--force")
    assert forced.exit_code == 0
    assert len(records.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "--suite"),
        (["--suite", "poetry"], 1, "no such suite"),
        (["--suite", "add", "--profile", "qwq,qwq"], 2, "one twice"),
        (["--suite", "add", "--profile", "qvq"], 1, "no such profile"),
        (["--suite", "add", "--samples", "0"], 2, "--samples"),
        (["--suite", "add", "--force"], 2, "--force goes with --out"),
        (["--suite", "add", "--out", "/no/such/folder/x"], 1, "cannot be written"),
    ],
)
def test_refusals(parrot: Path, arguments: list[str], status: int, words: str) -> None:
    refused = measure(parrot, *arguments)
    assert refused.exit_code == status, refused.output
    assert words in refused.stderr
    assert refused.stdout == ""


def test_ctrl_c_splits_no_record(
    parrot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(value: Mapping[str, object]) -> str:
        signal.raise_signal(signal.SIGINT)
        return to_json(value)

    monkeypatch.setattr("qwq_gguf.jobs.evaluating.to_json", interrupted)
    records = tmp_path / "replies.jsonl"
    done = measure(parrot, "--suite", "add", "--limit", 3, "--out", records)
    assert done.exit_code != 0
    (line,) = records.read_text().splitlines()
    assert json.loads(line)["skill"] == "add"
    assert done.stdout.splitlines()[2].split()[:4] == ["qwq", "add", "0", "1"]


def test_ctrl_c_keeps_what_was_measured(endless: Path, tmp_path: Path) -> None:
    records = tmp_path / "replies.jsonl"
    process = subprocess.Popen(
        [*PROGRAM, "eval", "thinking", str(endless), "--suite", "add", "--limit", "5000",
         "-n", "30", "-t", "1", "--out", str(records)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    # Until the end the lines have another name.
    unfinished = tmp_path / f".replies.jsonl.{process.pid}.partial"
    while process.poll() is None and not (
        unfinished.exists() and unfinished.read_text().count("\n") > 2
    ):
        time.sleep(0.02)
    assert not records.exists()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("\nInterrupted.\n")
    assert "Traceback" not in err
    count = len(records.read_text().splitlines())
    assert out.splitlines()[2].split()[:4] == ["qwq", "add", "0", str(count)]
