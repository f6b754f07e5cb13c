"""Attestations of strangers: read within bounds, or refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qwq_gguf.errors import ManifestError
from qwq_gguf.verification.attestation.beside import attestation_path, attestations_beside
from qwq_gguf.verification.attestation.envelope import PAYLOAD, parse_envelope, signed_bytes
from qwq_gguf.verification.attestation.statement import Statement, parse_statement
from qwq_gguf.verification.manifest import ShardDigest, SourceRecord
from qwq_gguf.verification.rebuilt import _gaps

SAID = Statement(
    {"a.gguf": "ab" * 32},
    SourceRecord("org/name", "1a" * 20, (ShardDigest("x.safetensors", 7, "cd" * 32, "computed"),)),
    "Q4_0",
    "name = 'Q4_0'",
    {"pure": False},
    {"qwq-gguf": "1"},
)


def changed(**values: Any) -> bytes:
    return json.dumps(SAID.to_json() | values).encode()


def test_a_statement_comes_back() -> None:
    assert parse_statement(SAID.text().encode(), "x") == SAID


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        changed(_type="https://in-toto.io/Statement/v0.1"),
        changed(predicateType="https://slsa.dev/provenance/v1"),
        changed(subject=[]),
        changed(subject=[{"name": "a", "digest": {"sha256": "AB" * 32}}]),
        changed(subject=[{"name": "a", "digest": {"sha256": "ab" * 32}}] * 2),
        changed(predicate={}),
        changed(predicate=None),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(ManifestError):
        parse_statement(content, "x")


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "text/plain"},
        {"payload": "no base64!"},
        {"payload": 7},
        {"signatures": []},
        {"signatures": [{"sig": ""}] * 17},
        {"signatures": {"sig": ""}},
        {"signatures": [{"sig": None}]},
    ],
)
def test_letters_that_are_none_are_refused(change: dict[str, Any]) -> None:
    good = {
        "payloadType": PAYLOAD,
        "payload": base64.b64encode(b"x").decode(),
        "signatures": [{"keyid": "", "sig": ""}],
    }
    assert parse_envelope(json.dumps(good).encode(), "x").payload == b"x"
    with pytest.raises(ManifestError):
        parse_envelope(json.dumps(good | change).encode(), "x")


def test_what_is_signed_is_the_type_too() -> None:
    assert signed_bytes(b"a b") == b"DSSEv1 28 application/vnd.in-toto+json 3 a b"


def test_those_of_another_file_are_none_of_this(tmp_path: Path) -> None:
    gguf = tmp_path / "Model.gguf"
    ours = attestation_path(gguf, b"x" * 32)
    theirs = attestation_path(tmp_path / "Model.v2.gguf", b"x" * 32)
    for path in (ours, theirs):
        path.write_text("{}")
    assert attestations_beside(gguf) == [ours]
    assert attestations_beside(tmp_path / "Model.v2.gguf") == [theirs]
    assert attestations_beside(tmp_path / "none" / "Model.gguf") == []


def test_padding_is_all_that_is_neither_header_nor_tensor() -> None:
    tensors = [SimpleNamespace(offset=32, nbytes=32), SimpleNamespace(offset=0, nbytes=5)]
    part: Any = SimpleNamespace(tensors=tensors, data_offset=100, file_bytes=200)
    assert list(_gaps(part, 96)) == [(96, 100), (105, 132), (164, 200)]
