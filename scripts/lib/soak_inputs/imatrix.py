"""Damaged importance matrices of both formats."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from qwq_gguf.quantization import read_imatrix
from soak_inputs import Trial
from soak_inputs._mutate import endless
from support.gguf_fuzz import write_mutant
from support.imatrix import gguf_bytes, legacy_bytes, random_sums

__all__ = ["CLASS", "trials"]

CLASS = "imatrix"


def trials(seed: int) -> Iterator[Trial]:
    """A matrix with one to four kinds of damage; one in four lies in a vast file."""
    return endless(seed, "imatrix", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    path = Path("some.imatrix")
    write_mutant(path, rng.choice(_whole()), rng)
    read_imatrix(path).metadata()


@cache
def _whole() -> tuple[bytes, ...]:
    sums = random_sums({"blk.0.attn_q.weight": 64, "blk.0.ffn_down.weight": 96})
    experts = random_sums({"blk.0.ffn_up_exps.weight": 64}, (512.0, 0.0, 7.0))
    old = {name: (entry.sums[0], int(entry.counts[0])) for name, entry in sums.items()}
    return gguf_bytes(sums), gguf_bytes(experts), legacy_bytes(old), legacy_bytes(old, chunks=None)
