"""DSSE: a payload and who has signed it, as one JSON object.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md and envelope.md. What is signed
is not the payload alone but its type with it, so no text can be taken for another kind. Beside
`sig` we write `publicKey`, which readers that don't know it pass over: with it anyone can tell
whether the signature is whole, and whose key to ask about; trust is another matter.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from qwq_gguf.errors import ManifestError
from qwq_gguf.json_text import named_once, parse_json

__all__ = [
    "MAX_ENVELOPE_BYTES",
    "PAYLOAD",
    "Envelope",
    "Signature",
    "parse_envelope",
    "signed_bytes",
]

PAYLOAD = "application/vnd.in-toto+json"
MAX_ENVELOPE_BYTES = 8 << 20
_MAX_SIGNATURES = 16


@dataclass(frozen=True, slots=True)
class Signature:
    """`public` are the 32 bytes of an ed25519 key, None where the envelope holds none."""

    sig: bytes
    public: bytes | None


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload of a type, and the signatures of it."""

    payload: bytes
    signatures: tuple[Signature, ...]

    def text(self, keyid: str) -> str:
        """The JSON file, with the name of the key that its signature is by."""
        return (
            json.dumps(
                {
                    "payloadType": PAYLOAD,
                    "payload": base64.b64encode(self.payload).decode("ascii"),
                    "signatures": [
                        {
                            "keyid": keyid,
                            "sig": base64.b64encode(one.sig).decode("ascii"),
                            "publicKey": base64.b64encode(one.public or b"").decode("ascii"),
                        }
                        for one in self.signatures
                    ],
                },
                indent=1,
            )
            + "\n"
        )


def signed_bytes(payload: bytes) -> bytes:
    """What a signature is of: DSSE's pre-authentication encoding."""
    kind = PAYLOAD.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def parse_envelope(content: bytes, path: str) -> Envelope:
    """An envelope from its JSON. ManifestError for anything else."""
    try:
        if len(content) > MAX_ENVELOPE_BYTES:
            raise ValueError("too large")
        value = parse_json(content, object_pairs_hook=named_once)
        if value["payloadType"] != PAYLOAD:
            raise ValueError(f"a payload of type {str(value['payloadType'])[:80]!r}")
        rows = value["signatures"]
        if not isinstance(rows, list) or not 1 <= len(rows) <= _MAX_SIGNATURES:
            raise ValueError("no signatures, or too many")
        signatures = tuple(
            Signature(
                _decoded(row["sig"]), _decoded(row["publicKey"]) if "publicKey" in row else None
            )
            for row in rows
        )
        return Envelope(_decoded(value["payload"]), signatures)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        what = f"no {problem}" if isinstance(problem, KeyError) else str(problem)
        raise ManifestError("the attestation is damaged", path=path, found=what[:200]) from problem


def _decoded(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii"), validate=True)
