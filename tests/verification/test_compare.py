"""Comparing two descriptions."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import pytest

from qwq_gguf.metadata import KeyValue, ValueType, array, f32, text, u32, u64
from qwq_gguf.verification.compare import compare_keys, compare_manifest, compare_tensors
from qwq_gguf.verification.findings import Finding
from qwq_gguf.verification.manifest import (
    FileRecord,
    Manifest,
    PartDigest,
    SourceRecord,
    TensorDigest,
)


def keys(*entries: KeyValue) -> dict[str, KeyValue]:
    return {entry.key: entry for entry in entries}


def said(found: list[Finding]) -> list[tuple[str, str]]:
    assert all(item.level == "difference" for item in found)
    return [(item.where, item.what) for item in found]


NAN = struct.unpack("<f", b"\x01\x00\xc0\x7f")[0]


@pytest.mark.parametrize(
    "ours, theirs, what",
    [
        (u32("k", 1), u32("k", 2), "1 here, 2 in b"),
        (u32("k", 1), u64("k", 1), "uint32 here, uint64 in b"),
        (text("k", "a"), array("k", ValueType.STRING, ["a"]), "string here, array of string in b"),
        (f32("k", 0.0), f32("k", -0.0), "0.0 here, -0.0 in b"),
        (
            text("k", "a"),
            text("k", "b" * 100),
            "'a' here, '" + "b" * 59 + "... (102 characters) in b",
        ),
        (
            array("k", ValueType.INT32, [1, 2, 3, 4]),
            array("k", ValueType.INT32, [1, 9, 3, 8]),
            "[1] is 2 here, 9 in b, and 1 more elements",
        ),
        (
            array("k", ValueType.STRING, ["a", "b"]),
            array("k", ValueType.STRING, ["a"]),
            "2 elements here, 1 in b",
        ),
        (
            array("k", ValueType.FLOAT32, [0.0]),
            array("k", ValueType.FLOAT32, [-0.0]),
            "[0] is 0.0 here, -0.0 in b",
        ),
    ],
)
def test_a_key_that_differs(ours: KeyValue, theirs: KeyValue, what: str) -> None:
    assert said(compare_keys("against", keys(ours), keys(theirs), "b")) == [("k", what)]


def test_keys_of_one_side_and_in_another_order() -> None:
    a = keys(u32("x", 1), u32("y", 1), u32("z", 1))
    b = keys(u32("z", 1), u32("y", 1), u32("w", 1))
    assert said(compare_keys("against", a, b, "b")) == [
        ("x", "not in b"),
        ("w", "only in b"),
        ("y", "this key stands where b has z"),
    ]


def test_equal_keys_are_equal() -> None:
    entries = keys(
        KeyValue("nan", ValueType.FLOAT32, math.nan),
        KeyValue("other", ValueType.FLOAT32, NAN),
        array("text", ValueType.STRING, ["a", "\udcff"]),
        array("none", ValueType.INT32, []),
    )
    assert compare_keys("against", entries, dict(entries), "b") == []


T = TensorDigest("t", "Q4_K", (256, 2), 288, "a" * 64)


@pytest.mark.parametrize(
    "other, what",
    [
        (replace(T, sha256="b" * 64), "its data differs from that in b"),
        (replace(T, type="Q5_K", sha256="b" * 64), "Q4_K here, Q5_K in b"),
        (replace(T, shape=(512, 1)), "shape [256, 2] here, [512, 1] in b"),
    ],
)
def test_a_tensor_that_differs(other: TensorDigest, what: str) -> None:
    assert said(compare_tensors("against", [T], [other], "b")) == [("t", what)]


def test_tensors_of_one_side_and_in_another_order() -> None:
    u, v = replace(T, name="u"), replace(T, name="v")
    assert compare_tensors("against", [T, u], [T, u], "b") == []
    assert said(compare_tensors("against", [T, u], [u, T], "b")) == [
        ("t", "this tensor stands where b has u")
    ]
    assert said(compare_tensors("against", [T, u], [T, v], "b")) == [
        ("u", "not in b"),
        ("v", "only in b"),
    ]


FILE, HEADER = PartDigest(1000, "1" * 64), PartDigest(100, "2" * 64)
U = replace(T, name="u")
RECORD = FileRecord("m.gguf", FILE, HEADER, (T,))
MANIFEST = Manifest((RECORD,), SourceRecord("s", None, ()), "Q4_K_M", "", {}, {})


@pytest.mark.parametrize(
    "file, header, tensor, wheres",
    [
        (FILE, HEADER, T, []),
        (PartDigest(1000, "9" * 64), HEADER, T, ["padding"]),
        (PartDigest(1000, "9" * 64), PartDigest(100, "9" * 64), T, ["header"]),
        (PartDigest(1000, "9" * 64), HEADER, replace(T, sha256="9" * 64), ["t"]),
        (PartDigest(999, "9" * 64), HEADER, T, ["file"]),
        (PartDigest(1032, "9" * 64), PartDigest(132, "9" * 64), T, ["file", "header"]),
    ],
)
def test_against_a_manifest(
    file: PartDigest, header: PartDigest, tensor: TensorDigest, wheres: list[str]
) -> None:
    found = compare_manifest([FileRecord("other.gguf", file, header, (tensor,))], MANIFEST)
    assert [item.where for item in found] == wheres


@pytest.mark.parametrize(
    ("second", "wheres"),
    [
        (FileRecord("b", FILE, HEADER, (U,)), []),
        (FileRecord("b", replace(FILE, sha256="9" * 64), HEADER, (U,)), ["padding of b"]),
        (FileRecord("b", FILE, replace(HEADER, sha256="9" * 64), (U,)), ["header of b"]),
        (FileRecord("b", FILE, HEADER, (replace(U, sha256="9" * 64),)), ["u"]),
        (FileRecord("b", replace(FILE, nbytes=9), HEADER, (U,)), ["b"]),
        (None, ["files", "u"]),
    ],
)
def test_files_against_a_manifest(second: FileRecord | None, wheres: list[str]) -> None:
    said = replace(MANIFEST, files=(RECORD, FileRecord("m2.gguf", FILE, HEADER, (U,))))
    found = compare_manifest([RECORD, *([] if second is None else [second])], said)
    assert [item.where for item in found] == wheres
