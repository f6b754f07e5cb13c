"""Damaged journals of an unfinished model: what is relied on, and what is done with the rest."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from qwq_gguf.quantization import load_recipe, make_plan
from qwq_gguf.quantization.running.target import Target
from qwq_gguf.quantization.writing.fingerprint import fingerprint
from qwq_gguf.quantization.writing.journal import RowsDone
from qwq_gguf.quantization.writing.rechecking import check_all
from qwq_gguf.quantization.writing.unfinished import Workplace
from soak_inputs import Trial
from soak_inputs._mutate import damaged_text, endless
from support.gguf_fuzz import mutate
from support.shapes import Shape, conversion

__all__ = ["CLASS", "trials"]

CLASS = "journals"

_PIECES = (
    "run 5", "rows 0 0 0 1 00000000", "rows 999 999 0 1 00000000", "complete", "made-of {}",
    "made-of ",
    '{"schema": "qwq-gguf/journal/1"}', "rows 0 1 99999999999999999 1 00000000", "run ", "\n", "[",
    '"files": {"number": 3}', '"files": {"number": true}', "rows 0 0 0 -1 00000000", "1e999", "{",
)  # fmt: skip


def trials(seed: int) -> Iterator[Trial]:
    """A run's journal, damaged; half of them with checksums that hold nevertheless."""
    return endless(seed, "journal", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    target, about, journal, partial = _unfinished()
    target.journal.write_bytes(_damaged(journal, rng))
    _partial(target).write_bytes(partial if rng.randrange(4) else mutate(partial, rng))
    place = Workplace(target, about, force=False, resume=rng.random() < 0.9)
    try:
        place.claim()
        place.judge(check_all(place.checks()))
        place.make_way()
        place.prepare()
    finally:
        place.leave()


def _damaged(journal: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return mutate(journal, rng)
    # Somebody who can write the file can write checksums, too.
    text = "\n".join(line[9:].decode() for line in journal.splitlines())
    lines = damaged_text(text, rng, _PIECES).encode("utf-8", "surrogatepass").split(b"\n")
    return b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines)


def _partial(target: Target) -> Path:
    return target.path.with_name(f".{target.path.name}.partial")


@cache
def _unfinished() -> tuple[Target, dict[str, Any], bytes, bytes]:
    made = conversion(Shape("qwen2", 64, 1, 2, 1, 64, 64), Path("x.safetensors"))
    plan = make_plan(made, load_recipe("F16"))
    target = Target(plan, Path("model.gguf"))
    about = fingerprint(plan, identity=lambda _: "sha256 1", versions={"ggml": "1"}, about={})
    place = Workplace(target, about, force=False, resume=True)
    place.claim()
    place.judge(check_all(place.checks()))
    place.prepare()
    place.record(
        [
            RowsDone(0, number, 0, tensor.rows, zlib.crc32(bytes(tensor.rows * tensor.row_bytes)))
            for number, tensor in enumerate(plan.parts[0].tensors[:6])
        ]
    )
    place.leave()
    return target, about, target.journal.read_bytes(), _partial(target).read_bytes()
