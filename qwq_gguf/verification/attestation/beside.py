"""The attestations that lie beside a GGUF: read, and held against its bytes and known keys.

NAME.<first 8 of the key's id>.attestation.json    one a key
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.errors import ManifestError, QwqGgufError
from qwq_gguf.files.reading import read_file
from qwq_gguf.verification.attestation.envelope import (
    MAX_ENVELOPE_BYTES,
    Envelope,
    parse_envelope,
    signed_bytes,
)
from qwq_gguf.verification.attestation.keys import available, is_by, key_id
from qwq_gguf.verification.attestation.statement import Statement, parse_statement
from qwq_gguf.verification.findings import Finding, difference, remark
from qwq_gguf.words import count, one_line

__all__ = ["ENDING", "attestation_path", "attestations_beside", "check_attestations"]

ENDING = ".attestation.json"
_MAX_BESIDE = 16


@dataclass(frozen=True, slots=True)
class _Checked:
    """An attestation that is about these bytes, and the keys whose signatures are whole."""

    statement: Statement
    keys: tuple[bytes, ...]


def attestation_path(gguf: Path, public: bytes) -> Path:
    """Where the attestation by a key lies; of a split model, give the first file."""
    stem = gguf.name.removesuffix(".gguf")
    return gguf.with_name(f"{stem}.{key_id(public)[:8]}{ENDING}")


def attestations_beside(gguf: Path) -> list[Path]:
    """Those that lie beside a GGUF, as many as are looked at."""
    stem = gguf.name.removesuffix(".gguf") + "."
    found = []
    try:
        for path in sorted(gguf.parent.iterdir()):
            middle = path.name.removeprefix(stem).removesuffix(ENDING)
            if path.name == f"{stem}{middle}{ENDING}" and "." not in middle:
                found.append(path)
    except OSError:
        pass
    return found[:_MAX_BESIDE]


def check_attestations(
    gguf: Path, digests: Mapping[str, str], trusted: Collection[bytes]
) -> tuple[list[Finding], dict[str, Any] | None]:
    """What is to be said of the attestations beside a GGUF whose files have these SHA-256, and
    what they say; None where there is none. `trusted` are the public keys that the user knows:
    given any, one of them must have signed.

    MissingPackageError where signatures are to be checked and cannot be.
    """
    paths = attestations_beside(gguf)
    found: list[Finding] = []
    good: list[_Checked] = []
    able = available()
    for path in paths:
        try:
            one = _checked(path, digests, trusted)
        except QwqGgufError as problem:
            seen = "" if problem.found is None else f": {problem.found}"
            found.append(difference("attestation", path.name, f"{problem.message}{seen}"))
            continue
        if able and not one.keys:
            what = "nobody says this: it names no key, and none that you trust has signed it"
            found.append(remark("attestation", path.name, what))
        else:
            good.append(one)
    if paths and not able and not trusted:
        found.append(
            remark(
                "attestation",
                paths[0].name,
                "no signature was checked: that takes pip install 'qwq-gguf[attest]'",
            )
        )
    by = {key for one in good for key in one.keys}
    known = by & set(trusted)
    if trusted and not known:
        signed = f"{count(len(by), 'other key')} signed" if by else "nobody signed"
        what = f"none of the trusted keys says that it was made from its source; {signed}"
        found.append(difference("attestation", gguf.name, what))
    if not paths:
        return found, None
    return found, {
        "files": len(known),
        "keys": sorted(key_id(key) for key in by),
        "trusted": sorted(key_id(key) for key in known),
        "says": [_said(one.statement) for one in good],
    }


def _said(statement: Statement) -> str:
    source = statement.source
    at = "" if source.commit is None else f" at {source.commit}"
    return one_line(f"{statement.recipe} of {source.name}{at}, made again and equal", 200)


def _checked(path: Path, digests: Mapping[str, str], trusted: Collection[bytes]) -> _Checked:
    envelope = _read(path)
    statement = parse_statement(envelope.payload, str(path))
    _refuse_other_bytes(path, list(statement.files.values()), list(digests.values()))
    data = signed_bytes(envelope.payload)
    keys = []
    for one in envelope.signatures if available() else ():
        tried = trusted if one.public is None else (one.public,)
        by = next((public for public in tried if is_by(public, one.sig, data)), None)
        if by is not None:
            keys.append(by)
        elif one.public is not None:
            raise ManifestError("a signature of the attestation is not by the key that it names")
    return _Checked(statement, tuple(keys))


def _read(path: Path) -> Envelope:
    try:
        return parse_envelope(read_file(path, MAX_ENVELOPE_BYTES), str(path))
    except OSError as problem:
        raise ManifestError(f"cannot be read: {problem.strerror or problem}") from problem


def _refuse_other_bytes(path: Path, told: Sequence[str], seen: Sequence[str]) -> None:
    if told != seen:
        raise ManifestError(
            "the attestation is about other bytes than these",
            path=path,
            found=f"sha256 {seen[0] if seen else 'unknown'}",
            expected=told[0],
        )
