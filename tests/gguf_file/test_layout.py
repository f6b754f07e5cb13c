"""The header we write, against the gguf package's writer and reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import pytest

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import encode_header, header_bytes, padded, read_gguf, tensor_bytes
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, f32, f64, i32, text, u32, u64


@dataclass(frozen=True)
class Record:
    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int


METADATA = (
    text("general.architecture", "qwen2"),
    text("general.name", "Zwölf Boxkämpfer 🥊"),
    u32("a.u32", 2**32 - 1),
    i32("a.i32", -(2**31)),
    u64("a.u64", 2**64 - 1),
    f32("a.f32", 1e-5),
    f64("a.f64", 1 / 3),
    boolean("a.bool", True),
    KeyValue("a.u8", ValueType.UINT8, 255),
    KeyValue("a.i8", ValueType.INT8, -128),
    KeyValue("a.u16", ValueType.UINT16, 65535),
    KeyValue("a.i16", ValueType.INT16, -32768),
    KeyValue("a.i64", ValueType.INT64, -(2**63)),
    array("b.text", ValueType.STRING, ["", "ab", "ĠĊ", "x" * 300]),
    array("b.int", ValueType.INT32, range(-50, 50)),
    array("b.float", ValueType.FLOAT32, [0.25, -1.5]),
    array("b.bool", ValueType.BOOL, [True, False, True]),
    array("b.many", ValueType.STRING, [f"token {i}" for i in range(1000)]),
)
SHAPES: dict[str, tuple[int, ...]] = {"one": (5,), "two": (33, 3), "three": (2, 3, 4)}


def place(alignment: int) -> tuple[Record, ...]:
    records, offset = [], 0
    for name, shape in SHAPES.items():
        records.append(Record(name, shape, GgmlType.F32, offset))
        offset += padded(tensor_bytes(GgmlType.F32, shape), alignment)
    return tuple(records)


def theirs(path: Path, alignment: int | None) -> bytes:
    """The same content by gguf.GGUFWriter, which puts the architecture first itself."""
    writer = gguf.GGUFWriter(path, "qwen2")
    if alignment is not None:
        writer.add_custom_alignment(alignment)
    for entry in METADATA[1:]:
        if entry.element is None:
            kind = gguf.GGUFValueType(entry.type)
            writer.add_key_value(entry.key, entry.value, kind)
        else:
            sub = gguf.GGUFValueType(entry.element)
            writer.add_key_value(entry.key, list(entry.items), gguf.GGUFValueType.ARRAY, sub)
    for name, shape in SHAPES.items():
        writer.add_tensor(name, np.zeros(shape[::-1], dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@pytest.mark.parametrize("alignment", [None, 8, 4096])
def test_a_file_equals_the_gguf_packages(tmp_path: Path, alignment: int | None) -> None:
    expected = theirs(tmp_path / "theirs.gguf", alignment)
    metadata = list(METADATA)
    if alignment is not None:
        metadata.insert(1, u32("general.alignment", alignment))
    records = place(alignment or 32)
    header = encode_header(metadata, records, alignment or 32)
    data = padded(records[-1].offset + tensor_bytes(GgmlType.F32, SHAPES["three"]), alignment or 32)
    assert header + bytes(data) == expected
    assert header_bytes(metadata, records, alignment or 32) == len(header)


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    records = place(32)
    path.write_bytes(encode_header(METADATA, records) + bytes(records[-1].offset + 96))
    file = read_gguf(path)
    assert tuple(file.metadata.values()) == METADATA
    assert file.data_offset == header_bytes(METADATA, records)
    assert [
        (tensor.name, tensor.shape, tensor.type, tensor.offset - file.data_offset)
        for tensor in file.tensors
    ] == [(record.name, record.shape, record.type, record.offset) for record in records]


@pytest.mark.parametrize(
    "records, why",
    [
        ((Record("", (1,), GgmlType.F32, 0),), "1 to 63 bytes"),
        ((Record("n" * 64, (1,), GgmlType.F32, 0),), "1 to 63 bytes"),
        ((Record("a", (), GgmlType.F32, 0),), "no shape"),
        ((Record("a", (1, 0), GgmlType.F32, 0),), "no shape"),
        ((Record("a", (1,) * 5, GgmlType.F32, 0),), "no shape"),
        ((Record("a", (1,), GgmlType.F32, 8),), "not aligned"),
        ((Record("a", (1,), GgmlType.F32, 0), Record("a", (1,), GgmlType.F32, 32)), "twice"),
    ],
)
def test_what_no_reader_takes_is_not_written(records: tuple[Record, ...], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode_header((), records)


def test_a_key_is_written_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        encode_header((u32("a", 1), u32("a", 1)), ())


@pytest.mark.parametrize("alignment", [0, -32, 24])
def test_the_alignment_is_a_power_of_two(alignment: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        encode_header((), (), alignment)
