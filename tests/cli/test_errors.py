"""One boundary: every exception becomes a message, a status, and no traceback."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.cli.terminal.errors import error_boundary
from qwq_gguf.cli.terminal.refusal import Refusal
from qwq_gguf.errors import GgufError, QwqGgufError, UsageError


def invoke(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def status_of(error: BaseException) -> int:
    with pytest.raises(typer.Exit) as leaving, error_boundary():
        raise error
    return leaving.value.exit_code


def test_our_errors_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    error = GgufError("not a GGUF file", path="a.gguf", found="PK", expected="GGUF", hint="unzip")
    assert status_of(error) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "error: a.gguf: not a GGUF file\n  found:    PK\n  expected: GGUF\n  try:      unzip\n"
    )


def test_messages_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    status_of(QwqGgufError("bad", path="\x1b]0;owned\x07.gguf", found="\x1b[2J\udc9b"))
    assert not set(capsys.readouterr().err) & set("\x1b\x07\x9b\udc9b")


def test_the_operating_systems_errors_name_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(OSError(errno.EACCES, os.strerror(errno.EACCES), "secret")) == 1
    assert capsys.readouterr().err == "error: secret: Permission denied\n"


def test_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "\nInterrupted.\n"


def test_a_closed_pipe_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(BrokenPipeError(errno.EPIPE, "Broken pipe")) == 141
    assert capsys.readouterr() == ("", "")


def test_our_own_faults_say_how_to_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(ZeroDivisionError("division by zero")) == 1
    err = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in err
    assert "QWQ_GGUF_DEBUG=1" in err
    assert "Traceback" not in err


WRONG = (
    ("fit demo --device rtx309", "24GB, rtx3090", "rtx3090"),
    ("fit demo --device m3-37gb", "M3 Pro: 18, 36 GB", None),
    ("serve demo --host 0.0.0.0 --port 0", None, "--api-key-file FILE, or --without-key"),
    ("chat demo --tools none.py:add -p x", None, "--tools FILE.py:FUNCTION"),
    (
        "eval thinking demo --suite skills --speculate text --parallel 2",
        None,
        "several at once fill",
    ),
)


@pytest.mark.parametrize(("typed", "expected", "hint"), WRONG)
def test_a_wrong_use_says_all_that_is_known_of_it(
    typed: str, expected: str | None, hint: str | None
) -> None:
    words = typed.split()
    done = invoke(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    for what, said in (("expected: ", expected), ("try:      ", hint)):
        if said is not None:
            (line,) = (each for each in done.stderr.splitlines() if each.startswith(f"  {what}"))
            assert said in line
    asked = invoke(*words, "--json")
    about = json.loads(asked.stdout)["error"]
    assert (asked.exit_code, about["type"]) == (2, "UsageError")
    assert "\n" not in about["message"]
    assert expected is None or expected in about["expected"]
    assert hint is None or hint in about["hint"]


def test_a_wrong_use_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = UsageError("bad", path="\x1b]0;owned\x07.py", found="\x1b[2J\n  try:      rm -r ~")
    with pytest.raises(Refusal) as leaving, error_boundary():
        raise Refusal(wrong)
    said = leaving.value.format_message()
    assert not set(said) & set("\x1b\x07")
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize("error", [QwqGgufError("x"), ValueError("x"), OSError(1, "x")])
def test_debugging_lets_everything_through(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWQ_GGUF_DEBUG", "1")
    with pytest.raises(type(error)), error_boundary():
        raise error


@pytest.mark.parametrize("error", [typer.Exit(3), typer.BadParameter("no")])
def test_typers_own_exceptions_pass(error: Exception) -> None:
    with pytest.raises(type(error)), error_boundary():
        raise error


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_a_reader_that_leaves_early_sees_no_traceback() -> None:
    code = """
import os, sys
from qwq_gguf.cli import main
from qwq_gguf.cli.commands import recipes
from qwq_gguf.cli.terminal.output import emit
reader, writer = os.pipe()
os.dup2(writer, 1); os.close(writer); os.close(reader)
sys.argv = ["qwq-gguf", "recipes", "Q4_K_M"]
main.main()
"""
    done = run(code)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_terminal_without_unicode_still_gets_the_text() -> None:
    code = """
import sys
from qwq_gguf.cli import main
sys.argv = ["qwq-gguf", "recipes"]
main.main()
"""
    done = run(code, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "Q4_K_M" in done.stdout
