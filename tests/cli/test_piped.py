"""What stdin is decides whether it is read."""

from __future__ import annotations

import io
import os
import socket
import stat
import sys
from pathlib import Path

import pytest
import typer

from qwq_gguf.cli.terminal import piped
from qwq_gguf.cli.terminal.piped import holds_text, piped_text, with_piped


def test_what_is_read_and_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    reader, writer = os.pipe()
    master, terminal = os.openpty()
    one, other = socket.socketpair()
    with one, other:
        kinds = [os.fstat(fd).st_mode for fd in (reader, terminal, one.fileno())]
    for descriptor in (reader, writer, master, terminal):
        os.close(descriptor)
    assert [holds_text(mode) for mode in kinds] == [True, False, False]
    assert holds_text((tmp_path / "file").stat().st_mode)
    assert not holds_text(Path(os.devnull).stat().st_mode)
    assert not holds_text(stat.S_IFDIR)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("a text\n", "Sum up:\n\na text"),
        ("\n  a\n\nb\n\n", "Sum up:\n\n  a\n\nb"),
        ("", "Sum up:"),
        (" \n\t\n", "Sum up:"),
    ],
)
def test_the_prompt_then_the_text(text: str, asked: str) -> None:
    assert with_piped("Sum up:", text) == asked


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piped, "_MOST", 10)
    (tmp_path / "file").write_text("x" * 11)
    with (tmp_path / "file").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        with pytest.raises(typer.BadParameter, match="larger than any context"):
            piped_text()


@pytest.mark.parametrize("stdin", [None, io.StringIO("text")])
def test_a_stdin_that_is_no_file(stdin: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    assert piped_text() == ""
