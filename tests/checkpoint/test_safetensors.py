"""Headers: what is read from good ones, and the sentence each kind of bad one gets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from qwq_gguf.checkpoint.safetensors import MAX_HEADER_BYTES, read_header
from qwq_gguf.errors import ShardError, SourceError, UnsupportedError
from support.checkpoints import safetensors_bytes


def shard(path: Path, header: object, body: bytes = b"") -> Path:
    """A file with any header at all."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def entry(start: int, end: int, shape: list[Any], dtype: str = "BF16") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    tensors: dict[str, tuple[str, NDArray[Any]]] = {
        "second": ("F32", np.arange(6, dtype=np.float32).reshape(2, 3)),
        "first": ("BF16", np.arange(4, dtype=np.uint16)),
        "nothing": ("I64", np.zeros((0, 5), dtype=np.int64)),
    }
    path.write_bytes(safetensors_bytes(tensors))
    return path


def test_tensors_are_found_where_they_are(good: Path) -> None:
    tensors = read_header(good)
    assert list(tensors) == ["first", "nothing", "second"]
    content = good.read_bytes()
    first, second = tensors["first"], tensors["second"]
    assert (first.dtype, first.shape, first.shard) == ("BF16", (4,), good)
    assert (second.dtype, second.shape, second.nbytes) == ("F32", (2, 3), 24)
    stored = content[second.start : second.start + second.nbytes]
    assert stored == np.arange(6, dtype="<f4").tobytes()
    assert content[first.start : first.start + 8] == np.arange(4, dtype="<u2").tobytes()


CONTRADICTIONS: dict[str, tuple[object, bytes, str]] = {
    "not JSON": (b"{'a': 1}", b"", "not valid JSON"),
    "no object": (b"[1, 2]", b"", "no JSON object"),
    "not text": (b"\xff\xfe{}", b"", "not valid JSON"),
    "nested a million deep": (b"[" * 1_000_000, b"", "not valid JSON"),
    "a number of 5,000 digits": (b'{"a":' + b"9" * 5000 + b"}", b"", "not valid JSON"),
    "a name twice": (
        b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
        b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        b"\0",
        "occurs twice",
    ),
    "a number for an entry": ({"a": 1}, b"", "not a tensor entry"),
    "no offsets": ({"a": {"dtype": "U8", "shape": [1]}}, b"\0", "not a tensor entry"),
    "a negative offset": ({"a": entry(-2, 0, [1])}, b"", "offsets are absurd"),
    "offsets the wrong way round": ({"a": entry(2, 0, [1])}, b"\0\0", "offsets are absurd"),
    "three offsets": (
        {"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1, 2]}},
        b"\0\0",
        "offsets are absurd",
    ),
    "offsets as text": (
        {"a": {"dtype": "U8", "shape": [1], "data_offsets": ["0", "1"]}},
        b"\0",
        "offsets are absurd",
    ),
    "beyond the end": ({"a": entry(0, 8, [4])}, b"\0" * 7, "truncated"),
    "far beyond the end": ({"a": entry(0, 2**62, [2**31, 2**30])}, b"", "truncated"),
    "overlapping": ({"a": entry(0, 4, [2]), "b": entry(2, 6, [2])}, b"\0" * 6, "overlap"),
    "the same bytes": ({"a": entry(0, 4, [2]), "b": entry(0, 4, [2])}, b"\0" * 4, "overlap"),
    "a gap": ({"a": entry(0, 2, [1]), "b": entry(4, 6, [1])}, b"\0" * 6, "belong to no tensor"),
    "more after the end": ({"a": entry(0, 2, [1])}, b"\0" * 3, "goes on after"),
    "bytes for another shape": ({"a": entry(0, 6, [4])}, b"\0" * 6, "do not match its shape"),
    "bytes for another dtype": ({"a": entry(0, 8, [4], "F32")}, b"\0" * 8, "do not match"),
    "a negative size": ({"a": entry(0, 2, [-1])}, b"\0\0", "shape is absurd"),
    "a size as a fraction": ({"a": entry(0, 2, [1.0])}, b"\0\0", "shape is absurd"),
    "true for a size": ({"a": entry(0, 2, [True])}, b"\0\0", "shape is absurd"),
    "an astronomical size": ({"a": entry(0, 2, [2**60])}, b"\0\0", "shape is absurd"),
    "a product past 64 bits": ({"a": entry(0, 0, [2**40, 2**40])}, b"", "do not match"),
    "a hundred dimensions": ({"a": entry(0, 2, [1] * 100)}, b"\0\0", "shape is absurd"),
    "half a byte": ({"a": entry(0, 0, [1], "F4")}, b"", "do not match"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_a_header_that_contradicts_itself(tmp_path: Path, what: str) -> None:
    header, body, sentence = CONTRADICTIONS[what]
    path = shard(tmp_path / "model.safetensors", header, body)
    with pytest.raises(ShardError, match=sentence) as raised:
        read_header(path)
    assert raised.value.path == str(path)


def test_an_unknown_dtype_lists_the_supported_ones(tmp_path: Path) -> None:
    path = shard(tmp_path / "a", {"a": entry(0, 2, [1], "F128")}, b"\0\0")
    with pytest.raises(UnsupportedError, match="unknown data type") as raised:
        read_header(path)
    assert raised.value.expected == "BF16, F16, F32"


BROKEN_FILES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda content: b"", "is empty"),
    "five bytes": (lambda content: content[:5], "too short"),
    "cut in the header": (lambda content: content[:40], "truncated inside its header"),
    "cut in the last tensor": (lambda content: content[:-1], "truncated"),
    "a length of 2^63": (lambda content: b"\xff" * 8 + content[8:], "length is absurd"),
    "a length just over the limit": (
        lambda content: (MAX_HEADER_BYTES + 1).to_bytes(8, "little") + content[8:],
        "length is absurd",
    ),
    "a length past the end": (
        lambda content: (1_000_000).to_bytes(8, "little") + content[8:],
        "truncated inside its header",
    ),
}


@pytest.mark.parametrize("what", BROKEN_FILES)
def test_a_broken_file(good: Path, what: str) -> None:
    damage, sentence = BROKEN_FILES[what]
    good.write_bytes(damage(good.read_bytes()))
    with pytest.raises(ShardError, match=sentence):
        read_header(good)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="cannot be read"):
        read_header(tmp_path / "missing.safetensors")


def test_a_folder_in_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="cannot be read"):
        read_header(tmp_path)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_any_single_byte_changed_ends_in_a_typed_error_or_none(
    position: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(
        safetensors_bytes(
            {"a": ("BF16", np.zeros((3, 4), np.uint16)), "b": ("F32", np.ones(2, np.float32))}
        )
    )
    content[position % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "mutated.safetensors"
    path.write_bytes(content)
    try:
        tensors = read_header(path)
    except SourceError:
        return
    assert sum(info.nbytes for info in tensors.values()) <= len(content)
