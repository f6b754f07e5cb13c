"""Damaged manifests beside a whole model: read, checked against it, and followed by `set`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.verification.check import read_manifest, verify
from qwq_gguf.verification.manifest import manifest_path
from qwq_gguf.verification.record import ShardDigests, make_manifest, write_manifest
from qwq_gguf.verification.running_digests import WriteFollower
from soak_inputs import Trial
from soak_inputs._mutate import damaged_text, damaged_value, endless
from support.checkpoints import Shape, write_checkpoint

__all__ = ["CLASS", "trials"]

CLASS = "manifests"

_SHAPE = Shape(hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=32, vocab=320)
_PIECES = (
    '"files": [', '"pending": {', '"bytes": ', '"sha256": "', "0" * 64, "f" * 64, "null", "{", "}",
    "[", "]", ",", '"tensors": []', '"shape": [1]', "1e999", "-1", '"schema": ', "[[[[",
)  # fmt: skip


def trials(seed: int) -> Iterator[Trial]:
    """The manifest of a small model, damaged."""
    return endless(seed, "manifest", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    path, whole = _model()
    if rng.random() < 0.7:
        value = json.loads(whole)
        if rng.random() < 0.3:
            part = {"bytes": 5, "sha256": "0" * 64}
            value["pending"] = {"file": part, "header": part, "set": {"profile": "qwq"}}
        text = json.dumps(damaged_value(value, rng))
    else:
        text = damaged_text(whole, rng, _PIECES)
    manifest_path(path).write_bytes(text.encode("utf-8", "surrogatepass"))
    json.dumps(verify(path).to_json())  # what is wrong with it is a finding
    manifest = read_manifest(path)
    if manifest is not None:
        manifest.text()


@cache
def _model() -> tuple[Path, str]:
    checkpoint = open_checkpoint(write_checkpoint(Path("Tiny-1B"), "qwen2", _SHAPE))
    recipe, path = load_recipe("F16"), Path("model.gguf")
    with ShardDigests(checkpoint) as shards, WriteFollower() as follower:
        run_plan(make_plan(convert(checkpoint), recipe), path, follow=follower)
        contents, source = follower.contents(), shards.record()
    write_manifest(make_manifest({path: contents}, source, recipe, {"pure": False}), path)
    return path, manifest_path(path).read_text(encoding="utf-8")
