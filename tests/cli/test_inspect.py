"""`qwq-gguf inspect`: for people, for programs, and for hostile files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.gguf_file import read_gguf
from support.checkpoints import byte_tokenizer, write_checkpoint
from support.tiny_gguf import TEMPLATE, write_random

runner = CliRunner()


def inspect(*arguments: object) -> Result:
    return runner.invoke(app, ["inspect", *map(str, arguments)])


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    keys = {"general.name": "Tiny", "general.sampling.temp": 0.6}
    return write_random(tmp_path / "tiny.gguf", context=2048, keys=keys)


def facts(text: str) -> dict[str, str]:
    rows = (line.split(maxsplit=1) for line in text.split("\n\n")[0].splitlines())
    return {row[0]: row[1] for row in rows}


def test_a_template_that_no_chat_can_be_made_of_is_odd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tokenizer = byte_tokenizer(chat_template="You are helpful.")
    folder = write_checkpoint(tmp_path / "Deaf-1B", tokenizer=tokenizer)
    assert runner.invoke(app, ["quantize", str(folder), "deaf.gguf", "F16"]).exit_code == 0
    shown = " ".join(runner.invoke(app, ["inspect", "deaf.gguf"]).stdout.split())
    assert "cannot be used: what the user says is not in the prompt" in shown
    assert "set FILE --chat-template" in shown


def test_what_people_see(gguf: Path) -> None:
    shown = inspect(gguf)
    assert shown.exit_code == 0, shown.output
    said = facts(shown.stdout)
    assert said["model"] == "Tiny (qwen2)"
    assert said["context"] == "2,048 tokens"
    opened = "<think> ... </think>, opened by the template"
    assert said["thoughts"] == f"{opened}, earlier ones are left out"
    assert said["sampling"] == "temp 0.6"
    assert said["eos"].endswith("<|im_end|>")
    (row,) = (line for line in shown.stdout.splitlines() if line.startswith("F32 "))
    assert row.split()[1].isdigit()


def test_every_key_on_demand(gguf: Path) -> None:
    listed = inspect(gguf, "--keys").stdout
    rows = {line.split()[0]: line.split() for line in listed.splitlines() if line.strip()}
    assert rows["general.sampling.temp"][1:] == ["float32", "0.6"]
    assert rows["qwen2.context_length"][1:] == ["uint32", "2048"]
    assert rows["tokenizer.ggml.tokens"][2:4] == ["x", "string"]
    assert "general.sampling.temp" not in inspect(gguf).stdout


def test_json(gguf: Path) -> None:
    summary = json.loads(inspect(gguf, "--json").stdout)
    assert summary["schema"] == "qwq-gguf/inspect/1"
    assert summary["chat_template"] == TEMPLATE
    assert summary["file_bytes"] == gguf.stat().st_size


def test_the_template_alone(gguf: Path) -> None:
    assert inspect(gguf, "--template").stdout == TEMPLATE + "\n"
    for two in (("--template", "--json"), ("--keys", "--json"), ("--keys", "--template")):
        refused = inspect(gguf, *two)
        assert refused.exit_code == 2
        assert "one of them" in refused.stderr


def test_what_looks_wrong_is_said(tmp_path: Path) -> None:
    bare = write_random(tmp_path / "x.gguf", keys={"tokenizer.chat_template": None})
    shown = inspect(bare)
    assert shown.exit_code == 0
    assert "what looks wrong:\n  no chat template\n" in shown.stdout
    assert facts(shown.stdout)["template"] == "none"


def test_a_hostile_file_cannot_drive_the_terminal_or_add_lines(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x9b2J\nsize           0 weights\u202e"
    gguf = write_random(
        tmp_path / "x.gguf",
        keys={
            "general.name": evil,
            "tokenizer.chat_template": evil,
            "general.sampling.sequence": evil,
            f"evil.{evil}": evil,
        },
    )
    honest = facts(inspect(gguf).stdout)
    for arguments in ([], ["--keys"], ["--json"], ["--template"]):
        shown = inspect(gguf, *arguments)
        assert shown.exit_code == 0, shown.output
        for control in ("\x1b", "\x07", "\x9b", "\u202e"):
            assert control not in shown.output
    assert honest["size"] != "0 weights"
    lines = inspect(gguf).stdout.splitlines()
    assert sum(line.startswith("size ") for line in lines) == 1


def test_not_a_gguf(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + b"\xff" * 100)
    refused = inspect(tmp_path / "x.gguf")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith("error: ")


def test_what_only_keeps_room_is_not_shown(gguf: Path) -> None:
    changed = runner.invoke(app, ["set", str(gguf), "--kv", "general.name=Room"])
    assert changed.exit_code == 0, changed.output
    assert any("room" in key for key in read_gguf(gguf).metadata)
    for arguments in ([], ["--keys"], ["--json"]):
        shown = inspect(gguf, *arguments).stdout
        assert "qwq_gguf.room" not in shown
        assert len(shown) < 8000


def test_against_its_source_a_changed_template_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert runner.invoke(app, ["quantize", "demo", "d.gguf", "Q4_0"]).exit_code == 0
    own = inspect("d.gguf", "--against", "demo")
    assert own.exit_code == 0, own.output
    assert "all of it is what quantize makes of this source" in own.stdout
    assert not runner.invoke(app, ["verify", "d.gguf", "--source", "demo", "--json"]).exit_code
    template = str(read_gguf(Path("d.gguf")).text("tokenizer.chat_template"))
    evil = template.replace("{%- for", "{{- '\x1b[2J' if tools }}{%- for", 1)
    Path("e.jinja").write_text(evil)
    assert runner.invoke(app, ["set", "d.gguf", "--chat-template", "e.jinja"]).exit_code == 0
    shown = inspect("d.gguf", "--against", "demo")
    assert "tokenizer.chat_template: nobody here can say why" in shown.stdout
    assert "+ {{- '\\u001b[2J' if tools }}" in shown.stdout
    assert "1 difference that is no repair" in shown.stdout
    found = json.loads(inspect("d.gguf", "--against", "demo", "--json").stdout)
    unknown = [each["key"] for each in found["differences"] if not each["known"]]
    assert unknown == ["tokenizer.chat_template"]
    report = json.loads(
        runner.invoke(app, ["verify", "d.gguf", "--source", "demo", "--json"]).stdout
    )
    remarks = [each["where"] for each in report["findings"] if each["level"] == "remark"]
    assert "tokenizer.chat_template" in remarks
    assert report["ok"]
