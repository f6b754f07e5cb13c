"""Whatever is done to a file, reading it ends soon, in a summary or a GgufError."""

from __future__ import annotations

import random
import resource
import time
from pathlib import Path

import pytest

from support.gguf_fuzz import probe, write_mutant
from support.header_files import qwq_keys, qwq_tensors, write_header_file

MUTANTS = 100


@pytest.mark.parametrize("seed", range(4))
def test_damaged_files_end_in_typed_errors(tmp_path: Path, seed: int) -> None:
    """`scripts/soak inputs --class gguf` does this many thousand times."""
    path = tmp_path / "a.gguf"
    content = write_header_file(path, qwq_keys(), qwq_tensors()).read_bytes()
    rng = random.Random(seed)
    readable = 0
    start = time.process_time()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MUTANTS):
        write_mutant(path, content, rng)
        readable += probe(path)
    assert 0 < readable < MUTANTS, "the damage is too small or too large to tell anything"
    assert time.process_time() - start < 30
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 300_000, "more than 300 MB for a file of a few kilobytes"
