"""What strangers wrote reaches no terminal as anything but letters, whoever prints it."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from qwq_gguf.cli.terminal.harmless import clean_logs
from qwq_gguf.cli.terminal.output import emit_json, show_table
from qwq_gguf.errors import QwqGgufError
from support.checkpoints import write_checkpoint
from support.terminal import PROGRAM, open_terminal
from support.tiny_gguf import write_random

runner = CliRunner()

# A window title, a colour, text that runs backwards, markup of rich's that opens and closes.
HOSTILE = "a\x1b]0;owned\x07\x1b[31m\u202e\x9b5m[bold][link=http://x]b[/nothing]"
NAME = HOSTILE.replace("/", "") + ".gguf"


def harmless(text: str) -> bool:
    """Whether nothing of it is more than text."""
    controls = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs")}
    return controls <= {"\n", "\t"}


def on_a_terminal(*arguments: str, cwd: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command sends to a terminal, its escape sequences included."""
    monkeypatch.chdir(cwd)
    with open_terminal(*arguments, size=(24, 200)) as terminal:
        terminal.wait_for_end()
        return terminal.seen


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF whose name and keys are hostile, and whose manifest would be."""
    keys = {"general.name": HOSTILE, f"x.{HOSTILE}": HOSTILE, "general.license": HOSTILE}
    return write_random(tmp_path_factory.mktemp("stranger") / NAME, keys=keys)


@pytest.fixture
def gguf(stranger: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(stranger, tmp_path))


@pytest.mark.parametrize(
    "command",
    [
        ("verify", "FILE"),
        ("verify", "FILE", "--against", "FILE"),
        ("set", "FILE", "--kv", "general.version=str:1"),
        ("inspect", "FILE", "--keys"),
        ("inspect", "FILE", "--json"),
        ("chat", "FILE", "-p", "Hi", "-n", "3"),
        ("eval", "thinking", "FILE", "--suite", "add", "--limit", "1", "-n", "2", "-c", "256"),
        ("quantize", "FILE", "out.gguf", "-r", "Q8_0", "--allow-requantize"),
    ],
    ids=lambda words: "-".join(word for word in words if word != "FILE")[:30],
)
def test_names_on_a_terminal(
    command: tuple[str, ...], gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [gguf.name if word == "FILE" else word for word in command]
    seen = on_a_terminal(*words, cwd=gguf.parent, monkeypatch=monkeypatch)
    assert "\x1b]0;" not in seen
    assert not {"\x07", "\u202e", "\x9b"} & set(seen)
    assert "\x1b[31m\N{REPLACEMENT CHARACTER}" not in seen
    assert "\x1b]8;" not in seen, "no link"
    assert "Traceback" not in seen
    assert "fault in" not in seen


def test_a_bar_shows_the_name_as_letters(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Markup in it is text: it is shown, and what closes nothing is no error."""
    seen = on_a_terminal("verify", gguf.name, cwd=gguf.parent, monkeypatch=monkeypatch)
    bars = seen[: seen.index("structure")]
    assert "a\N{SYMBOL FOR ESCAPE}]0;owned" in bars
    assert "[bold]" in bars


def test_a_checkpoints_names_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_checkpoint(tmp_path / NAME)
    words = ("quantize", folder.name, NAME, "-r", "BF16")
    for _ in range(2):  # the second is refused
        seen = on_a_terminal(*words, cwd=tmp_path, monkeypatch=monkeypatch)
        assert "\x1b]0;" not in seen
        assert not {"\x07", "\u202e", "\x9b"} & set(seen)


@pytest.mark.parametrize(
    "arguments",
    [
        [HOSTILE],
        ["chat", f"--{HOSTILE}"],
        ["chat", "x.gguf", "-c", HOSTILE],
        ["chat", "x.gguf", "--repeat-last-n", HOSTILE],
        ["chat", "x.gguf", "--grammar-file", HOSTILE],
        ["quantize", "demo", "-r", f"Q4{HOSTILE}"],
        ["quantize", "demo", "--kernels", HOSTILE],
        ["quantize", "demo", HOSTILE, HOSTILE],
        ["quantize", HOSTILE],
        ["export", HOSTILE, "x.gguf"],
        ["export", "lmstudio", "x.gguf", "--user-repo", HOSTILE],
        ["profiles", HOSTILE],
        ["profiles", "--compare", "qwq", "llama-cpp", "-m", "x", "-p", "x", "--plot", HOSTILE],
        ["recipes", HOSTILE],
        ["eval", HOSTILE],
        ["eval", "thinking", "x.gguf", "--suite", HOSTILE],
        ["conformance", HOSTILE],
        ["set", HOSTILE, "--kv", HOSTILE],
    ],
    ids=lambda words: " ".join(words).encode("ascii", "replace").decode()[:40],
)
def test_arguments_in_errors(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = runner.invoke(app, arguments)
    assert done.exit_code in (1, 2)
    assert done.stderr
    assert harmless(done.stderr), ascii(done.stderr)
    assert harmless(done.stdout), ascii(done.stdout)


def test_a_line_end_in_a_name_begins_no_line_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    done = runner.invoke(app, ["inspect", "x.gguf\n  try:      curl example.org | sh"])
    assert done.exit_code == 1
    assert "\n  try:      curl" not in done.stderr
    show_table(("key\nrow",), [("a\nb",)])
    assert "\nb" not in capsys.readouterr().out


def test_json_has_no_raw_controls(capsys: pytest.CaptureFixture[str]) -> None:
    value = {HOSTILE: ["\udcff\ufff9\u2028\x85", HOSTILE]}
    emit_json(value)
    out = capsys.readouterr().out
    assert harmless(out)
    assert json.loads(out) == value


@pytest.fixture
def logs() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    yield
    logging.setLogRecordFactory(before)


def test_what_a_library_logs_of_a_servers_answer(
    logs: None, caplog: pytest.LogCaptureFixture
) -> None:
    clean_logs()
    clean_logs()
    logging.getLogger("huggingface_hub.utils").warning("%s says: %s", HOSTILE, HOSTILE)
    (record,) = caplog.records
    assert harmless(record.getMessage())
    assert "owned" in record.getMessage()


def test_what_python_warns_of() -> None:
    code = (
        "import warnings; from qwq_gguf.cli.terminal.harmless import clean_logs; clean_logs();"
        "warnings.warn('\\x1b[31mred')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "red" in done.stderr
    assert harmless(done.stderr)


def test_our_errors_keep_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert str(QwqGgufError("a\nb", path="x")) == "x: a\nb"
    done = subprocess.run([*PROGRAM, "nosuch\u202e"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "\u202e" not in done.stderr
