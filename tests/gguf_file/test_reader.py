"""The reader believes nothing: each lie has its own sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from qwq_gguf.errors import GgufError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.metadata import KeyValue, ValueType


def header(tensors: int = 0, keys: int = 0, *, magic: bytes = b"GGUF", version: int = 3) -> bytes:
    return struct.pack("<4sIQQ", magic, version, tensors, keys)


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def key(name: bytes, kind: ValueType | int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def tensor(
    name: bytes = b"t",
    shape: tuple[int, ...] = (8,),
    kind: int = 0,
    offset: int = 0,
) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    read_gguf(path)


U8 = ValueType.UINT8
ARRAY = ValueType.ARRAY
HUGE = 2**62


@pytest.mark.parametrize(
    "content, why",
    [
        (b"", "is empty"),
        (b"GGU", "not a GGUF file"),
        (b"PK\x03\x04" + bytes(60), "not a GGUF file"),
        (bytes(64), "did not finish"),
        (b"version https://git-lfs.github.com/spec/v1", "a pointer of git-lfs"),
        (b"GGUF", "the version"),
        (header(version=1), "does not know"),
        (header(version=4), "does not know"),
        (header(version=0x03000000), "big-endian"),
        (header()[:20], "number of keys"),
        (header(tensors=HUGE), "more tensors"),
        (header(keys=HUGE), "more keys"),
        (header(keys=1), "more keys"),
        (header(tensors=1) + bytes(10), "more tensors"),
        (header(keys=1) + key(b"", U8, b"\1") + b"\0", "impossible length"),
        (header(keys=1) + struct.pack("<Q", HUGE) + bytes(16), "impossible length"),
        (header(keys=1) + struct.pack("<Q", 60000) + bytes(16), "past the end"),
        (header(keys=1) + key(b"k", 13, b"\1\0"), "unknown type"),
        (header(keys=1) + key(b"k", ValueType.UINT64, b"\1\0"), "past the end"),
        (header(keys=1) + key(b"k", ValueType.STRING, struct.pack("<Q", HUGE)), "absurdly long"),
        (header(keys=1) + key(b"k", ValueType.STRING, struct.pack("<Q", 99)), "past the end"),
        (header(keys=2) + key(b"k", U8, b"\1") * 2, "appears twice"),
        (header(keys=1) + key(b"k", ARRAY, struct.pack("<IQ", 9, 1) + bytes(16)), "unknown"),
        (header(keys=1) + key(b"k", ARRAY, struct.pack("<IQ", 99, 1) + bytes(16)), "unknown"),
        (header(keys=1) + key(b"k", ARRAY, struct.pack("<IQ", 0, HUGE)), "too many elements"),
        (header(keys=1) + key(b"k", ARRAY, struct.pack("<IQ", 0, 5) + b"1234"), "past the end"),
        (header(keys=1) + key(b"k", ARRAY, struct.pack("<IQ", 0, 500) + b"12"), "past the end"),
        (header(keys=1) + key(b"k", ARRAY, struct.pack("<IQ", 8, 500) + b"12"), "past the end"),
        (
            header(keys=1)
            + key(b"k", ARRAY, struct.pack("<IQ", 8, 65) + text(b"") * 64)
            + struct.pack("<Q", 99),
            "past the end",
        ),
        (
            header(keys=1)
            + key(b"k", ARRAY, struct.pack("<IQ", 8, 65) + text(b"") * 64)
            + struct.pack("<Q", HUGE),
            "absurdly long",
        ),
        *(
            (
                header(keys=1)
                + key(b"general.alignment", ValueType.UINT32, struct.pack("<I", value)),
                "general.alignment",
            )
            for value in (0, 3, 2**31)
        ),
        (
            header(keys=1) + key(b"general.alignment", ValueType.UINT64, struct.pack("<Q", 32)),
            "general.alignment",
        ),
        (header(tensors=1) + tensor(b"n" * 64) + bytes(64), "impossible length"),
        (header(tensors=1) + tensor(shape=(1,) * 5) + bytes(64), "too many dimensions"),
        (header(tensors=1) + tensor(shape=(8, 0)) + bytes(64), "is empty"),
        (header(tensors=1) + tensor(kind=4) + bytes(64), "data type"),
        (header(tensors=1) + tensor(kind=2**31) + bytes(64), "data type"),
        (header(tensors=1) + tensor(kind=GgmlType.Q4_K) + bytes(64), "no multiple of Q4_K"),
        (header(tensors=1) + tensor(shape=(2**62,) * 4) + bytes(64), "past the end"),
        (header(tensors=1) + tensor(offset=32) + bytes(99), "not where the tensors before"),
        (header(tensors=1) + tensor(offset=2**63) + bytes(99), "not where the tensors before"),
        (header(tensors=1) + tensor(shape=(80,)) + bytes(64), "it is truncated"),
        (header(tensors=2) + tensor() + tensor(offset=32) + bytes(99), "appears twice"),
        (header(tensors=2) + tensor() + tensor(b"u", offset=0) + bytes(99), "not where"),
    ],
)
def test_a_broken_file_is_refused_with_a_reason(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(GgufError) as caught:
        read(tmp_path, content)
    assert why in str(caught.value)
    assert caught.value.path == str(tmp_path / "a.gguf")


def test_a_missing_file_is_a_gguf_error(tmp_path: Path) -> None:
    with pytest.raises(GgufError, match="cannot be opened"):
        read_gguf(tmp_path / "none.gguf")
    with pytest.raises(GgufError):
        read_gguf(tmp_path)


def test_a_vast_sparse_file_costs_nothing(tmp_path: Path) -> None:
    """Zeros are free for whoever made the file, so they must be for us."""
    path = tmp_path / "a.gguf"
    with path.open("wb") as file:
        lie = struct.pack("<IQ", ValueType.STRING, 1 << 21)
        file.write(header(keys=900) + key(b"k", ARRAY, lie))
        file.truncate(1 << 40)
    with pytest.raises(GgufError):
        read_gguf(path)


def test_long_arrays_are_read_when_looked_at(tmp_path: Path) -> None:
    words = [f"w{i}".encode() for i in range(100_000)]
    body = struct.pack("<IQ", ValueType.STRING, len(words)) + b"".join(map(text, words))
    path = tmp_path / "a.gguf"
    path.write_bytes(header(keys=2) + key(b"words", ARRAY, body) + key(b"after", U8, b"\7"))
    file = read_gguf(path)
    assert file.integer("after") == 7
    entry = file.metadata["words"]
    assert len(entry.items) == 100_000
    assert "w17" not in repr(entry)
    assert entry.items[-1] == "w99999"
    assert entry.items[:2] == ("w0", "w1")
    assert hash(entry) == hash(KeyValue("words", ARRAY, tuple(entry.items), ValueType.STRING))


def test_an_array_of_a_file_that_changed_is_not_read(tmp_path: Path) -> None:
    body = struct.pack("<IQ", ValueType.STRING, 100) + text(b"ab") * 100
    path = tmp_path / "a.gguf"
    path.write_bytes(header(keys=1) + key(b"words", ARRAY, body))
    entry = read_gguf(path).metadata["words"]
    path.write_bytes(header(keys=1) + key(b"words", ARRAY, body) + b"more")
    with pytest.raises(GgufError, match="changed"):
        list(entry.items)
    path.unlink()
    with pytest.raises(GgufError, match="opened again"):
        list(entry.items)


def test_getters_answer_only_to_their_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(
        header(keys=3)
        + key(b"n", ValueType.UINT32, struct.pack("<I", 7))
        + key(b"b", ValueType.BOOL, b"\2")
        + key(b"general.architecture", ValueType.STRING, text(b"qwen2"))
    )
    file = read_gguf(path)
    assert (file.integer("n"), file.number("n"), file.text("n")) == (7, 7.0, None)
    assert (file.scalar("b"), file.integer("b")) == (True, None)
    assert (file.architecture, file.text("none"), file.number("general.architecture")) == (
        "qwen2",
        None,
        None,
    )


def test_an_old_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(header(version=2))
    assert read_gguf(path).version == 2
