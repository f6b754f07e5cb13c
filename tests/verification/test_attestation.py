"""Attestations of strangers: read within bounds, or refused."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qwq_gguf.errors import ManifestError
from qwq_gguf.verification.attestation import keys
from qwq_gguf.verification.attestation.beside import (
    attestation_path,
    attestations_beside,
    check_attestations,
)
from qwq_gguf.verification.attestation.envelope import (
    MAX_ENVELOPE_BYTES,
    PAYLOAD,
    parse_envelope,
    signed_bytes,
)
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
        changed().replace(b'"subject"', b'"subject": [], "subject"'),
        changed(predicate=SAID.to_json()["predicate"] | {"options": {"x": "y" * (4 << 20)}}),
        changed().replace(b'"bytes": 7', b'"bytes": ' + b"7" * 100_000),
        changed().replace(b'"bytes": 7', b'"bytes": NaN'),
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
        {"signatures": [{"sig": "", "publicKey": None}]},
        {"signatures": [{"sig": "\ud800"}]},
        {"payload": "eA==", "x": "y" * (8 << 20)},
        {"x": [[[[[[0] * 9] * 9] * 9] * 9] * 9] * 90},
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


@dataclass(frozen=True)
class Signer:
    """A key, and what it signs."""

    key: Path

    @property
    def public(self) -> bytes:
        return keys.public_of(self.key)

    def row(self, payload: bytes, *, naming: bytes | None = None) -> dict[str, str]:
        """A signature, which names its own key, another one, or (b"") none."""
        signature, public = keys.sign(self.key, signed_bytes(payload))
        named = public if naming is None else naming
        row = {"keyid": "", "sig": base64.b64encode(signature).decode()}
        return row | ({"publicKey": base64.b64encode(named).decode()} if named else {})


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, Signer]:
    pytest.importorskip("cryptography")
    folder = tmp_path_factory.mktemp("keys")
    for name in ("me", "mallory"):
        keys.make_key(folder / name)
    return Signer(folder / "me"), Signer(folder / "mallory")


BYTES = {"a.gguf": "ab" * 32}


def beside(folder: Path, payload: bytes, *rows: dict[str, str], name: str = "1") -> Path:
    """A GGUF (of which only the name counts) with such an attestation beside it."""
    envelope = {
        "payloadType": PAYLOAD,
        "payload": base64.b64encode(payload).decode(),
        "signatures": list(rows),
    }
    (folder / f"a.{name}.attestation.json").write_text(json.dumps(envelope))
    return folder / "a.gguf"


def differs(gguf: Path, *trusted: bytes, digests: Mapping[str, str] = BYTES) -> list[str]:
    findings, _ = check_attestations(gguf, digests, trusted)
    return [found.what for found in findings if found.level == "difference"]


def test_what_a_key_says_of_these_bytes(tmp_path: Path, signers: tuple[Signer, Signer]) -> None:
    me, mallory = signers
    payload = SAID.text().encode()
    gguf = beside(tmp_path, payload, me.row(payload))
    assert differs(gguf) == differs(gguf, me.public) == []
    (wrong,) = differs(gguf, mallory.public)
    assert wrong.startswith("none of the trusted keys says")
    for other in ({"a.gguf": "cd" * 32}, BYTES | {"b.gguf": "cd" * 32}, {}):
        assert "about other bytes than these" in differs(gguf, me.public, digests=other)[0]


@pytest.mark.parametrize("naming", ["its own key", "no key", "the trusted key"])
def test_another_keys_words_are_not_mine(
    tmp_path: Path, signers: tuple[Signer, Signer], naming: str
) -> None:
    me, mallory = signers
    named = {"its own key": None, "no key": b"", "the trusted key": me.public}[naming]
    payload = SAID.text().encode()
    gguf = beside(tmp_path, payload, mallory.row(payload, naming=named))
    found = differs(gguf, me.public)
    assert "none of the trusted keys says" in found[-1]
    assert (naming == "the trusted key") == ("not by the key that it names" in found[0])


def test_a_signature_is_of_these_words_and_this_kind(
    tmp_path: Path, signers: tuple[Signer, Signer]
) -> None:
    """Words changed after signing; and words that were signed as they are, for another use."""
    me, _ = signers
    payload = SAID.text().encode()
    other = payload.replace(b"org/name", b"org/nama")
    for naming in (None, b""):
        gguf = beside(tmp_path, other, me.row(payload, naming=naming))
        assert "none of the trusted keys says" in differs(gguf, me.public)[-1]
    bare, public = keys.sign(me.key, payload)
    row = {"sig": base64.b64encode(bare).decode()}
    gguf = beside(tmp_path, payload, row)
    assert "none of the trusted keys says" in differs(gguf, public)[-1]


def test_what_nobody_signed_is_not_shown_as_said(
    tmp_path: Path, signers: tuple[Signer, Signer]
) -> None:
    payload = SAID.text().encode()
    gguf = beside(tmp_path, payload, signers[0].row(payload, naming=b""))
    findings, facts = check_attestations(gguf, BYTES, ())
    assert facts is not None
    assert (facts["says"], facts["keys"], facts["files"]) == ([], [], 0)
    assert "nobody says this" in findings[0].what


def test_a_crowd_of_others_hides_nothing(tmp_path: Path, signers: tuple[Signer, Signer]) -> None:
    """Too many to look at, a pipe and a huge one among them: what is not found does not pass."""
    me, _ = signers
    payload = SAID.text().encode()
    gguf = beside(tmp_path, payload, me.row(payload), name="z")
    assert differs(gguf, me.public) == []
    os.mkfifo(tmp_path / "a.0.attestation.json")
    (tmp_path / "a.1.attestation.json").write_bytes(b" " * (MAX_ENVELOPE_BYTES + 1))
    found = differs(gguf, me.public)
    assert "a pipe" in found[0]
    assert "damaged: too large" in found[1]
    for number in range(16):
        (tmp_path / f"a.2{number}.attestation.json").write_text("{}")
    assert "none of the trusted keys says" in differs(gguf, me.public)[-1]


def test_padding_is_all_that_is_neither_header_nor_tensor() -> None:
    tensors = [SimpleNamespace(offset=32, nbytes=32), SimpleNamespace(offset=0, nbytes=5)]
    part: Any = SimpleNamespace(tensors=tensors, data_offset=100, file_bytes=200)
    assert list(_gaps(part, 96)) == [(96, 100), (105, 132), (164, 200)]
