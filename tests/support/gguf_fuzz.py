"""Damaged GGUF headers, and the promise they must not break."""

from __future__ import annotations

import random
import struct
from pathlib import Path

from qwq_gguf.errors import GgufError
from qwq_gguf.gguf_file import read_gguf, read_splits, summarize

__all__ = ["mutate", "probe", "write_mutant"]

_NUMBERS = (
    0,
    1,
    2,
    7,
    31,
    63,
    255,
    2**16 - 1,
    2**21,
    2**31,
    2**32 - 1,
    2**40,
    2**63 - 1,
    2**64 - 1,
)
_VAST = 1 << 40


def mutate(content: bytes, rng: random.Random) -> bytes:
    """The content with one to four kinds of damage."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _damage(data, rng)
    return bytes(data)


def _damage(data: bytearray, rng: random.Random) -> None:
    if not data:
        data += b"GGUF"
    at = rng.randrange(len(data))
    size = rng.choice((1, 4, 8, 16, 64))
    kind = rng.randrange(8)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[at : at + size] = rng.randbytes(len(data[at : at + size]))
    elif kind == 2:
        data[at : at + 8] = struct.pack("<Q", rng.choice(_NUMBERS))[: len(data[at : at + 8])]
    elif kind == 3:
        data[at : at + 4] = struct.pack("<I", rng.choice(_NUMBERS) & 0xFFFFFFFF)[: len(data) - at]
    elif kind == 4:
        del data[at:]
    elif kind == 5:
        del data[at : at + size]
    elif kind == 6:
        data[at:at] = rng.choice((bytes(size), rng.randbytes(size), data[:size]))
    else:
        other = rng.randrange(len(data))
        data[at : at + size] = data[other : other + size]


def write_mutant(path: Path, content: bytes, rng: random.Random) -> None:
    """The damaged file; one in four is vast and sparse, so that no length is past its end."""
    path.write_bytes(mutate(content, rng))
    if rng.randrange(4) == 0:
        with path.open("r+b") as file:
            file.truncate(_VAST)


def probe(path: Path) -> bool:
    """Look at everything in a file: True if it was readable, False for a GgufError."""
    try:
        file = read_gguf(path)
        for entry in file.metadata.values():
            if entry.element is not None:
                len(list(entry.items))
        summarize(file).to_json()
        read_splits(path)
    except GgufError:
        return False
    return True
