"""Pieces of a file that was cut to fit a size limit: said, with the command that joins them."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from qwq_gguf.checkpoint.cut_files import is_piece
from qwq_gguf.checkpoint.meaning import names_gguf
from qwq_gguf.checkpoint.resolve import locate_gguf
from qwq_gguf.errors import NotAGgufError
from support.tiny_gguf import write_random

SCHEMES = [
    [f"m Q8_0.gguf.part{number}of11" for number in range(1, 12)],
    ["m Q8_0.gguf-split-a", "m Q8_0.gguf-split-b"],
    ["m Q8_0.gguf.part-a", "m Q8_0.gguf.part-b"],
    ["m Q8_0.gguf.001", "m Q8_0.gguf.002"],
    ["m Q8_0.gguf.aa", "m Q8_0.gguf.ab"],
]


def pieces(folder: Path, names: list[str]) -> tuple[Path, bytes]:
    whole = write_random(folder / "m Q8_0.gguf")
    content = whole.read_bytes()
    whole.unlink()
    size = -(-len(content) // len(names))
    for number, name in enumerate(names):
        (folder / name).write_bytes(content[number * size : (number + 1) * size])
    return whole, content


@pytest.mark.parametrize("names", SCHEMES)
@pytest.mark.parametrize("named", [0, 1, None])
def test_the_command_joins_them(tmp_path: Path, names: list[str], named: int | None) -> None:
    whole, content = pieces(tmp_path, names)
    source = str(whole if named is None else tmp_path / names[named])
    assert names_gguf(source)
    with pytest.raises(NotAGgufError, match="a piece of a file that was cut") as raised:
        locate_gguf(source)
    command, _, rest = str(raised.value.hint).partition(", then name ")
    subprocess.run(command, shell=True, check=True)
    assert whole.read_bytes() == content
    assert shlex.split(rest) == [str(whole)]
    assert locate_gguf(whole).path == whole


def test_one_that_is_not_here(tmp_path: Path) -> None:
    names = SCHEMES[0]
    pieces(tmp_path, names)
    (tmp_path / names[4]).unlink()
    with pytest.raises(NotAGgufError, match="not all here") as raised:
        locate_gguf(tmp_path / names[0])
    assert raised.value.expected == "11 pieces"
    assert "cat " not in str(raised.value.hint)


@pytest.mark.parametrize("name", ["a.gguf", "a-00001-of-00002.gguf", "a.gguf.zip", "part1of2"])
def test_what_is_no_piece(name: str) -> None:
    assert not is_piece(name)
