"""Objects as server-sent events, and what every protocol's stream of them can do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.writing.parts import Part

__all__ = ["DONE", "STILL_HERE", "Stream", "as_json", "frame", "named_frame"]

DONE = b"data: [DONE]\n\n"
STILL_HERE = b": still here\n\n"
"""A comment, for clients and proxies that give up on a silent connection."""


class Stream(Protocol):
    """A protocol's chunks as bytes: `begin`, each `part`, and `end` or `failed`."""

    def begin(self) -> Iterator[bytes]:
        """Before anything has come."""

    def part(self, index: int, part: Part) -> Iterator[bytes]:
        """Of a part of the choice of this index."""

    def end(self, cached: int) -> Iterator[bytes]:
        """After all have ended; so many tokens of the prompt were computed before."""

    def failed(self, refusal: Refusal) -> Iterator[bytes]:
        """After an error, which is the end."""


def as_json(data: Mapping[str, Any]) -> bytes:
    """As short as JSON can be."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def frame(data: Mapping[str, Any]) -> bytes:
    """An event without a name."""
    return b"data: " + as_json(data) + b"\n\n"


def named_frame(data: Mapping[str, Any]) -> bytes:
    """An event that is called by its type."""
    return b"event: " + str(data["type"]).encode() + b"\n" + frame(data)
