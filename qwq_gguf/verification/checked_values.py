"""Values out of the JSON of a manifest or an attestation, each of the kind that it has to be."""

from __future__ import annotations

import re

__all__ = ["checked_digest", "checked_size", "checked_text"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


def checked_text(value: object) -> str:
    """A text; TypeError for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:80]!r} is no text")
    return value


def checked_size(value: object) -> int:
    """A number of bytes, or of elements; TypeError for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{str(value)[:80]!r} is no size")
    return value


def checked_digest(value: object) -> str:
    """A SHA-256 in hex; TypeError for anything else."""
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise TypeError(f"{str(value)[:80]!r} is no SHA-256")
    return value
