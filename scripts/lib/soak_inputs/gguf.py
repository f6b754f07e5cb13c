"""Damaged GGUF headers, looked at by everything that `inspect` asks of a file."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache, partial
from itertools import count
from pathlib import Path

from qwq_gguf.gguf_file import read_gguf, read_splits, summarize
from soak_inputs import Trial
from support.gguf_fuzz import write_mutant
from support.header_files import qwq_keys, qwq_tensors, write_header_file

__all__ = ["CLASS", "trials"]

CLASS = "gguf"


def trials(seed: int) -> Iterator[Trial]:
    """A small reasoner's header with one to four kinds of damage."""
    rng = random.Random(seed)
    for number in count():
        yield f"header {number}", partial(_read, rng.randrange(1 << 62))


def _read(seed: int) -> None:
    path = Path("damaged.gguf")
    write_mutant(path, _whole(), random.Random(seed))
    file = read_gguf(path)
    for entry in file.metadata.values():
        if entry.element is not None:
            len(list(entry.items))
    summarize(file).to_json()
    read_splits(path)


@cache
def _whole() -> bytes:
    return write_header_file(Path("whole.gguf"), qwq_keys(), qwq_tensors()).read_bytes()
