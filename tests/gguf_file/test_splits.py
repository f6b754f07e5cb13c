"""Split models: all parts, in order, of one model, or a reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from qwq_gguf.errors import GgufError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, read_splits
from qwq_gguf.gguf_file.splits import part_path
from qwq_gguf.metadata import KeyValue, ValueType, i32, text


@dataclass(frozen=True)
class Record:
    name: str
    shape: tuple[int, ...] = (8,)
    type: GgmlType = GgmlType.F32
    offset: int = 0


def write_part(path: Path, number: int, count: int, *, total: int = 2, tensor: str = "") -> None:
    keys = [
        KeyValue("split.no", ValueType.UINT16, number),
        KeyValue("split.count", ValueType.UINT16, count),
        i32("split.tensors.count", total),
    ]
    if number == 0:
        keys.insert(0, text("general.architecture", "qwen2"))
    path.write_bytes(encode_header(keys, [Record(tensor or f"t{number}")]) + bytes(32))


def write_parts(folder: Path, count: int = 2, total: int = 2) -> Path:
    for number in range(count):
        write_part(part_path(folder / "m.gguf", number, count), number, count, total=total)
    return folder / f"m-00001-of-{count:05d}.gguf"


def test_parts_are_read_in_order(tmp_path: Path) -> None:
    split = read_splits(write_parts(tmp_path, 3, total=3))
    assert split.head.architecture == "qwen2"
    assert [tensor.name for _, tensor in split.tensors] == ["t0", "t1", "t2"]
    assert [part.path.name for part, _ in split.tensors] == [
        f"m-0000{number}-of-00003.gguf" for number in (1, 2, 3)
    ]
    assert split.file_bytes == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_a_model_in_one_file_is_one_part(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(encode_header([text("general.architecture", "qwen2")], []))
    assert len(read_splits(path).parts) == 1


def test_a_later_part_names_the_first(tmp_path: Path) -> None:
    write_parts(tmp_path)
    with pytest.raises(GgufError, match="not the first part") as caught:
        read_splits(tmp_path / "m-00002-of-00002.gguf")
    assert str(tmp_path / "m-00001-of-00002.gguf") in str(caught.value)


def test_a_renamed_first_part(tmp_path: Path) -> None:
    path = write_parts(tmp_path).rename(tmp_path / "model.gguf")
    with pytest.raises(GgufError, match="under another name") as caught:
        read_splits(path)
    assert caught.value.expected == "model-00001-of-00002.gguf"


def test_a_missing_part(tmp_path: Path) -> None:
    path = write_parts(tmp_path)
    (tmp_path / "m-00002-of-00002.gguf").unlink()
    with pytest.raises(GgufError, match="part 2 of 2 is missing"):
        read_splits(path)


def test_a_part_of_another_split(tmp_path: Path) -> None:
    path = write_parts(tmp_path)
    write_part(tmp_path / "m-00002-of-00002.gguf", 1, 3)
    with pytest.raises(GgufError, match="another split"):
        read_splits(path)


def test_parts_that_do_not_add_up(tmp_path: Path) -> None:
    with pytest.raises(GgufError, match="do not add up"):
        read_splits(write_parts(tmp_path, total=5))


def test_a_tensor_in_two_parts(tmp_path: Path) -> None:
    path = write_parts(tmp_path)
    write_part(tmp_path / "m-00002-of-00002.gguf", 1, 2, tensor="t0")
    with pytest.raises(GgufError, match="t0 is in two parts"):
        read_splits(path)


@pytest.mark.parametrize("count", [0, 1001, 65535])
def test_an_absurd_number_of_parts(tmp_path: Path, count: int) -> None:
    path = tmp_path / "m-00001-of-00002.gguf"
    write_part(path, 0, count)
    if count:
        with pytest.raises(GgufError, match="impossible number"):
            read_splits(path)
    else:
        assert len(read_splits(path).parts) == 1
