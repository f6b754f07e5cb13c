"""Opening what others made: regular files only, and nothing is waited for."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from qwq_gguf.files.reading import NotAFile, open_file, read_file, read_given, user_path


def test_a_file_is_read_to_one_byte_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    assert read_file(path, 20) == b"0123456789"
    assert read_file(path, 10) == b"0123456789"
    assert read_file(path, 4) == b"01234"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotAFile) as raised:
        read_file(tmp_path / "pipe", 10)
    assert raised.value.strerror == "a pipe, where a file is needed"


@pytest.mark.parametrize(("name", "kind"), [("/dev/zero", "a device"), ("/", "a folder")])
def test_what_is_no_file(name: str, kind: str) -> None:
    with pytest.raises(NotAFile) as raised:
        open_file(name)
    assert kind in str(raised.value.strerror)


def test_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's name is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(NotAFile, match="a socket"):
            open_file("s")


def test_a_link_to_a_pipe_is_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    with pytest.raises(NotAFile, match="a pipe"):
        open_file(tmp_path / "link")


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with pytest.raises(NotAFile):
            open_file(tmp_path / "pipe")
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_the_shells_own_pipes_are_read(tmp_path: Path) -> None:
    """`--grammar-file <(command)` is a pipe that somebody does write to."""
    reading, writing = os.pipe()
    try:
        os.write(writing, b"root ::= [a-z]")
        os.close(writing)
        assert read_given(f"/dev/fd/{reading}", 100) == b"root ::= [a-z]"
    finally:
        os.close(reading)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotAFile):
        read_given(tmp_path / "pipe", 100)


class TestUserPath:
    def test_the_home_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        assert user_path("~/models/a.gguf") == tmp_path / "models/a.gguf"

    def test_a_name_that_is_nobodys(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert user_path("~nobody-is-called-so.gguf") == Path("~nobody-is-called-so.gguf")

    def test_a_file_goes_before_a_person(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "~root").touch()
        assert user_path("~root") == Path("~root")
