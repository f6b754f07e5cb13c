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
from qwq_gguf.cli.flags.typed import typed_command
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


def test_tables_of_figures(parrot: Path) -> None:
    done = measure(parrot, "--suite", "add", "--limit", 3, "--samples", 2)
    assert done.exit_code == 0, done.output
    answers, _, row, tokens, _, more = done.stdout.splitlines()
    assert answers.split() == [
        "profile", "skill", "right", "of", "accuracy", "95", "%", "loops", "no", "answer",
        "tokens/right", "s/right",
    ]  # fmt: skip
    assert row.split() == [
        "qwq", "add", "0", "6", "0.0", "%", "0.0", "to", "70.8", "0", "0", "-", "-"
    ]  # fmt: skip
    assert tokens.split()[2:] == ["thought", "95", "%", "median", "p95", "reply", "95", "%",
                                  "median", "p95"]  # fmt: skip
    assert more.split()[2:7] == ["2.0", "2.0", "to", "2.0", "2"]
    assert "no reply is kept: --out FILE" in done.stderr


def test_guessing_ahead_changes_no_figure(parrot: Path, tmp_path: Path) -> None:
    asked = (parrot, "--suite", "add", "--limit", 2, "--json")
    usual, ahead = (
        json.loads(measure(*asked, *more).stdout)["cells"] for more in ((), ("--speculate", "text"))
    )
    assert ahead == usual
    other = write_random(tmp_path / "other.gguf")
    assert "other tokens" in measure(*asked, "--speculate", other).stderr
    both = measure(*asked, "--speculate", "text", "--parallel", 2)
    assert both.exit_code == 2
    assert "--parallel 1" in both.stderr


def test_cells_are_compared_on_the_same_problems_and_dice(parrot: Path, tmp_path: Path) -> None:
    records = tmp_path / "replies.jsonl"
    done = measure(
        parrot, "--suite", "multiply", "--limit", 2, "--profile", "qwq,llama-cpp", "--json",
        "--govern", "default,off", "--out", records, "--seed", 3,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["schema"] == "qwq-gguf/eval-thinking/2"
    run = figures["run"]
    assert (run["schema"], run["seed"]) == ("qwq-gguf/eval-run/1", 3)
    assert [model["file"] for model in run["models"]] == ["parrot.gguf"]
    assert run["suites"][0]["questions"] == 2
    assert [(cell["profile"], cell["governor"]) for cell in figures["cells"]] == [
        ("qwq", "default"), ("qwq", "off"), ("llama-cpp", "default"), ("llama-cpp", "off"),
    ]  # fmt: skip
    assert "governor off: none: a thought may go on" in done.stderr
    for number, cell in enumerate(figures["cells"]):
        assert (cell["samples"], cell["unanswered"], cell["loops"]) == (2, 0, 0)
        assert cell["thought_tokens"]["mean"] == {"value": 2.0, "low": 2.0, "high": 2.0}
        assert list(cell["skills"]) == ["multiply"]
        apart = cell["against_first"]
        assert apart is None if number == 0 else apart["pairs"] == apart["same"] == 2

    head, *samples = [json.loads(line) for line in records.read_text().splitlines()]
    assert head == run
    assert len(samples) == 8
    by_key = {sample["key"]: sample["seed"] for sample in samples}
    assert all(sample["seed"] == by_key[sample["key"]] for sample in samples)
    assert {sample["answer"] for sample in samples} == {r"\boxed{9}"}


def test_several_models_and_questions_of_a_file(parrot: Path, tmp_path: Path) -> None:
    other = tmp_path / "copy.gguf"
    other.write_bytes(parrot.read_bytes())
    done = measure(
        parrot, other, "--suite", "gsm8k:" + str(gsm8k(tmp_path)), "--suite", "add", "--limit", 1,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["parrot.gguf", "qwq", "gsm8k", "1", "1"] in [row[:5] for row in rows]
    assert ["copy.gguf", "qwq", "all", "1", "2"] in [row[:5] for row in rows]
    assert ["copy.gguf", "qwq", "all", "2", "2"] in [row[:5] for row in rows], "paired"


def gsm8k(folder: Path) -> Path:
    path = folder / "test.jsonl"
    path.write_text(json.dumps({"question": "3 times 3?", "answer": "3*3=9\n#### 9"}) + "\n")
    return path


def test_the_same_command_goes_on(parrot: Path, tmp_path: Path) -> None:
    records = tmp_path / "replies.jsonl"
    asked = (parrot, "--suite", "add", "--limit", 3, "--out", records)
    whole = measure(*asked)
    lines = records.read_text().splitlines(keepends=True)
    foreign = json.dumps({**json.loads(lines[1]), "profile": "mine"}) + "\n"
    records.write_text("".join(lines[:2]) + lines[1] + foreign + lines[2][:40])
    again = measure(*asked)
    assert again.exit_code == 0, again.output
    assert "1 of 3 replies are there already" in again.stderr
    assert len(records.read_text().splitlines()) == 6
    assert again.stdout.split()[:20] == whole.stdout.split()[:20]
    other = measure(*asked, "--seed", 1)
    assert other.exit_code == 1
    assert "seed: 0 there, 1 here" in other.stderr
    assert len(records.read_text().splitlines()) == 6


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
    assert len(records.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "--suite"),
        (["--suite", "poetry"], 1, "no such suite"),
        (["--suite", "add", "--profile", "qwq,qwq"], 2, "one twice"),
        (["--suite", "add", "--profile", "qvq"], 1, "no such profile"),
        (["--suite", "add", "--samples", "0"], 2, "--samples"),
        (["--suite", "add", "--force"], 2, "--force goes with --out"),
        (["--suite", "add", "--traces"], 2, "--traces goes with --out"),
        (["--suite", "add", "--suite", "add"], 2, "one is named twice"),
        (["--suite", "add", "--suite", "skills"], 1, "same key"),
        (["--suite", "add", "--govern", "on"], 1, "no such governor"),
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
        if value["schema"] == "qwq-gguf/eval-sample/2":
            signal.raise_signal(signal.SIGINT)
        return to_json(value)

    monkeypatch.setattr("qwq_gguf.evaluation.asking.samples_file.to_json", interrupted)
    records = tmp_path / "replies.jsonl"
    done = measure(parrot, "--suite", "add", "--limit", 3, "--out", records)
    assert done.exit_code != 0
    _, line = records.read_text().splitlines()
    assert json.loads(line)["skill"] == "add"
    assert done.stdout.splitlines()[2].split()[:4] == ["qwq", "add", "0", "1"]
    assert "1 reply is in" in done.stderr


def test_ctrl_c_keeps_what_was_measured(endless: Path, tmp_path: Path) -> None:
    records = tmp_path / "replies.jsonl"
    process = subprocess.Popen(
        [*PROGRAM, "eval", "thinking", str(endless), "--suite", "add", "--limit", "5000",
         "-n", "30", "-t", "1", "--out", str(records)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    while process.poll() is None and not (records.exists() and records.read_text().count("\n") > 3):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("\nInterrupted.\n")
    assert "Traceback" not in err
    count = len(records.read_text().splitlines()) - 1
    assert out.splitlines()[2].split()[:4] == ["qwq", "add", "0", str(count)]
    assert f"{count} replies are in {records}; the same command goes on" in err


def test_the_usage_line_takes_several_models() -> None:
    shown = runner.invoke(app, ["eval", "thinking", "--help"]).stdout
    assert shown.lstrip().splitlines()[0].endswith("[OPTIONS] MODEL...")


def test_no_token_of_the_hub_is_written_down() -> None:
    typed = ["eval", "thinking", "m", "--token", "hf_secret", "--token=hf_other", "-n", "3"]
    assert typed_command(typed) == "qwq-gguf eval thinking m -n 3"
