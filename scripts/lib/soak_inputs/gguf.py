"""Damaged GGUF headers, looked at by all that `inspect`, `quantize`, `chat` and exports ask."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from qwq_gguf.conversion.from_gguf import from_gguf
from qwq_gguf.engine.loading.precheck import check_model
from qwq_gguf.errors import QwqGgufError
from qwq_gguf.exporters.facts import gguf_facts
from qwq_gguf.exporters.forbidding import words_of
from qwq_gguf.exporters.runtimes import EXPORTERS
from qwq_gguf.gguf_file import read_gguf, read_splits, summarize
from qwq_gguf.preparation import prepare
from qwq_gguf.profiles import resolve
from qwq_gguf.quantization import load_recipe, make_plan
from soak_inputs import Trial
from soak_inputs._mutate import endless
from support.gguf_fuzz import mutate, write_mutant
from support.header_files import qwq_keys, qwq_tensors, write_header_file
from support.tiny_gguf import write_random

__all__ = ["CLASS", "trials"]

CLASS = "gguf"


def trials(seed: int) -> Iterator[Trial]:
    """Headers of a small reasoner with one to four kinds of damage; some lie in a vast file."""
    return endless(seed, "header", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    path = Path("damaged.gguf")
    if rng.random() < 0.6:
        write_mutant(path, _header(), rng)
    else:
        path.write_bytes(mutate(_head_of_model(), rng) + _rest_of_model())
    file = read_gguf(path)
    for entry in file.metadata.values():
        if entry.element is not None:
            len(list(entry.items))
    json.dumps(summarize(file).to_json(), allow_nan=False)
    model = read_splits(path)
    for ask in (
        lambda: check_model(file),
        lambda: _export(rng.choice(list(EXPORTERS))),
        lambda: make_plan(prepare(from_gguf(model)).conversion, load_recipe("Q4_K_M")),
    ):
        try:
            ask()
        except QwqGgufError:
            pass


def _export(runtime: str) -> None:
    file = read_gguf(Path("damaged.gguf"))
    profile = resolve(file.metadata).profile
    facts = gguf_facts(file.metadata, file="./damaged.gguf", words=words_of(profile))
    for text in EXPORTERS[runtime](profile, facts).files.values():
        text.encode("utf-8", "surrogateescape")


@cache
def _header() -> bytes:
    return write_header_file(Path("whole.gguf"), qwq_keys(), qwq_tensors()).read_bytes()


@cache
def _model() -> tuple[bytes, int]:
    path = write_random(Path("model.gguf"), layers=1, width=32, heads=2, kv_heads=1, ffn=32)
    return path.read_bytes(), read_gguf(path).data_offset


def _head_of_model() -> bytes:
    content, start = _model()
    return content[:start]


def _rest_of_model() -> bytes:
    content, start = _model()
    return content[start:]
