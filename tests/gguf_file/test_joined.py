"""Parts of a split model joined by `cat`: said, with commands that take them apart."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from qwq_gguf.errors import GgufError
from qwq_gguf.gguf_file import read_gguf, read_splits
from support.split_files import cut
from support.tiny_gguf import write_random


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, ...]:
    return cut(write_random(tmp_path / "my model.gguf"), 3)


def join(target: Path, *files: Path) -> Path:
    target.write_bytes(b"".join(path.read_bytes() for path in files))
    return target


@pytest.mark.parametrize("bare_first", [False, True])
def test_the_commands_take_them_apart(tmp_path: Path, *, bare_first: bool) -> None:
    parts = cut(write_random(tmp_path / "my model.gguf"), 3, bare_first=bare_first)
    contents = [path.read_bytes() for path in parts]
    joined = join(tmp_path / "my model.gguf", *parts)
    for path in parts:
        path.unlink()
    with pytest.raises(GgufError, match="one behind the other") as raised:
        read_gguf(joined)
    assert raised.value.found == "3 files"
    first, *commands, last = str(raised.value.hint).splitlines()
    assert first == "take them apart again, then name the first:"
    for command in commands:
        subprocess.run(command, shell=True, check=True)
    assert [path.read_bytes() for path in parts] == contents
    assert last.strip() == f"qwq-gguf inspect '{parts[0]}'"
    assert len(read_splits(parts[0]).parts) == 3


def test_the_last_data_may_lack_its_padding(tmp_path: Path, parts: tuple[Path, ...]) -> None:
    first = read_gguf(parts[0])
    joined = tmp_path / "joined.gguf"
    joined.write_bytes(parts[0].read_bytes()[: first.data_end] + parts[1].read_bytes())
    with pytest.raises(GgufError, match="one behind the other"):
        read_gguf(joined)


def test_files_that_are_no_parts(tmp_path: Path, parts: tuple[Path, ...]) -> None:
    whole = tmp_path / "my model.gguf"
    with pytest.raises(GgufError, match="one behind the other") as raised:
        read_gguf(join(tmp_path / "both.gguf", whole, whole))
    assert "tail" not in str(raised.value.hint)
    with pytest.raises(GgufError, match="one behind the other") as raised:
        read_gguf(join(tmp_path / "two.gguf", *parts[:2]))  # the third is elsewhere
    assert "tail" not in str(raised.value.hint)


def test_what_follows_may_be_damaged(tmp_path: Path, parts: tuple[Path, ...]) -> None:
    joined = tmp_path / "joined.gguf"
    joined.write_bytes(parts[0].read_bytes() + b"GGUF" + bytes(40))
    with pytest.raises(GgufError, match="one behind the other"):
        read_gguf(joined)


def test_other_bytes_behind_a_file_are_no_matter(tmp_path: Path) -> None:
    path = write_random(tmp_path / "a.gguf")
    with path.open("ab") as file:
        file.write(bytes(100))
    assert read_gguf(path).tensors


def test_thousands_are_not_followed_for_ever(tmp_path: Path, parts: tuple[Path, ...]) -> None:
    empty = b"GGUF\3\0\0\0" + bytes(16) + bytes(8)
    joined = tmp_path / "joined.gguf"
    joined.write_bytes(empty * 5000)
    with pytest.raises(GgufError, match="one behind the other") as raised:
        read_gguf(joined)
    assert raised.value.found == "1001 files"
