"""`qwq-gguf fit` and `doctor` as commands."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from qwq_gguf.cli.showing.fit import memory_bar
from qwq_gguf.errors import LibraryError
from qwq_gguf.jobs import diagnosing
from qwq_gguf.machine.devices import GIB, Device
from qwq_gguf.machine.findings import diagnose
from qwq_gguf.machine.installed import Installed
from qwq_gguf.machine.placing import Share
from qwq_gguf.machine.recording import Output, Recording

runner = CliRunner()
ON_CARD = ["--device", "24GB", "--ram", "32GB"]
WORKS = Installed("3.12.1", "0.3.36", version="0.3.36", devices=("CPU (x)",), backends=("CPU",))


def test_a_table_a_bar_and_what_to_type() -> None:
    done = runner.invoke(app, ["fit", "demo", *ON_CARD])
    assert done.exit_code == 0, done.output
    assert "Q4_0" not in done.stdout  # outdone by Q4_K_S
    (row,) = (line for line in done.stdout.splitlines() if line.startswith("Q8_0 "))
    assert "7/7" in row
    assert "recommended" in row
    assert done.stdout.rstrip().endswith("qwq-gguf chat QwQ-Demo-Q8_0.gguf -c 4096")
    assert "Q4_0" in runner.invoke(app, ["fit", "demo", *ON_CARD, "--all"]).stdout


def test_the_same_as_json() -> None:
    done = runner.invoke(app, ["fit", "demo", *ON_CARD, "--json"])
    value = json.loads(done.stdout)
    assert value["schema"] == "qwq-gguf/fit/1"
    assert value["machine"]["memories"][1]["bytes"] == 24 * GIB


def test_no_room_for_a_thought_is_said_and_nothing_is_recommended() -> None:
    done = runner.invoke(app, ["fit", "demo", *ON_CARD, "--thought", "9000"])
    assert "nothing to recommend: no recipe leaves room for a thought" in done.stdout
    assert "qwq-gguf chat" not in done.stdout
    assert "no room for a thought" in done.stdout


@pytest.mark.parametrize(
    "flags",
    [
        ["--ram", "32GB"],
        ["--device", "rtx9999"],
        ["--device", "24GB", "--ram", "much"],
        ["--kv-type", "q9"],
    ],
)
def test_what_makes_no_sense_is_wrong_usage_before_anything_is_measured(
    flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwq_gguf.jobs.fitting.this_machine", lambda: pytest.fail("it measures"))
    assert runner.invoke(app, ["fit", "demo", *flags]).exit_code == 2


@pytest.mark.parametrize(
    "flags",
    [["-c", "x"], ["-c", "0"], ["-ngl", "-2"], ["--kv-type", "q8_0", "-ctk", "f16"]],
)
def test_chat_takes_a_number_or_auto(flags: list[str]) -> None:
    assert runner.invoke(app, ["chat", "demo", *flags, "-p", "x"]).exit_code == 2


def test_chat_chooses_by_what_fits() -> None:
    auto = ["-c", "auto", "-ngl", "auto", "--kv-type", "auto"]
    done = runner.invoke(app, ["chat", "demo", *auto, "-p", "What is 7*43?", "--seed", "1"])
    assert done.exit_code == 0, done.output
    assert "301" in done.stdout
    assert "note: 4,096 tokens of context in f16" in done.stderr


def test_the_bar_has_its_parts_in_proportion() -> None:
    device = Device("x", 8 * GIB, 8 * GIB, 1e9, "y", reserve=GIB)
    bar = memory_bar(device, Share(4 * GIB, GIB, GIB))
    assert bar.startswith("[" + "█" * 24 + "▓" * 6 + "▒" * 6 + "░" * 6 + " " * 6 + "]")
    assert bar.endswith("6.00 GiB of 8.00 GiB, 1.00 GiB left")


def _patch(monkeypatch: pytest.MonkeyPatch, recording: Recording) -> list[str]:
    said = diagnose(recording, WORKS)
    monkeypatch.setattr(diagnosing, "examine", lambda: said)
    done: list[str] = []
    monkeypatch.setattr(diagnosing, "install", lambda remedy: done.append(remedy.build))
    proof = diagnosing.Proof("301", True, 7, 200.0, 50.0)
    monkeypatch.setattr(diagnosing, "prove", lambda _report: proof)
    return done


CARD = Recording(
    "linux",
    "x86_64",
    {
        "nvidia-smi": Output(0, "0, NVIDIA GeForce RTX 3090, 24576, 24000, 8.6, 550.54\n"),
        "nvidia-smi-plain": Output(0, "CUDA Version: 12.4"),
    },
)


def test_doctor_tells_and_changes_nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _patch(monkeypatch, CARD)
    told = runner.invoke(app, ["doctor"])
    assert told.exit_code == 1
    assert "whl/cu124" in told.stdout
    asked = runner.invoke(app, ["doctor", "--fix"])  # nobody can be asked
    assert asked.exit_code == 1
    assert done == []


def test_doctor_installs_after_a_yes_and_proves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    done = _patch(monkeypatch, CARD)
    fixed = runner.invoke(app, ["doctor", "--fix", "--yes"])
    assert fixed.exit_code == 0, fixed.output
    assert done == ["CUDA"]
    assert "right: the demo says 301; 7 layers on the card: 200.0 tokens" in fixed.stdout


def test_doctor_says_when_the_card_is_still_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    _patch(monkeypatch, CARD)
    proof = diagnosing.Proof("301", True, 0, 50.0, 50.0)
    monkeypatch.setattr(diagnosing, "prove", lambda _report: proof)
    assert runner.invoke(app, ["doctor", "--fix", "--yes"]).exit_code == 1


def test_a_failed_installation_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _patch(monkeypatch, CARD)

    def fail(_remedy: object) -> None:
        raise LibraryError("the CUDA build could not be installed")

    monkeypatch.setattr(diagnosing, "install", fail)
    done = runner.invoke(app, ["doctor", "--fix", "--yes"])
    assert done.exit_code == 1
    assert "could not be installed" in done.stderr


def test_the_demo_proves_what_is_installed() -> None:
    proof = diagnosing.prove(lambda _event: None)
    assert proof.right
    assert proof.speed > 1


def test_flags_that_do_not_go_together() -> None:
    assert runner.invoke(app, ["doctor", "--yes"]).exit_code == 2
    assert runner.invoke(app, ["doctor", "--json", "--fix"]).exit_code == 2


def test_what_does_not_load_is_told_with_one_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "libcuda.so.1: cannot open shared object file: No such file or directory"

    def fail() -> None:
        raise LibraryError("cannot be loaded", found=f"RuntimeError: {said}", hint="--gpus all")

    monkeypatch.setattr("qwq_gguf.engine.llama.library.library_facts", fail)
    _, installed = diagnosing.record()
    assert installed.problem == f"RuntimeError: {said}"
    found = diagnose(Recording("linux", "x86_64"), installed)
    (broken,) = (each for each in found.findings if each.topic == "llama.cpp")
    assert "--gpus all" not in broken.text
    assert broken.cure is not None
    assert "--gpus all" in broken.cure
