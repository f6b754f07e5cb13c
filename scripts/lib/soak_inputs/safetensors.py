"""Damaged shards and their index: headers read, tensors listed, all bytes read."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from qwq_gguf.checkpoint import ShardReader, open_checkpoint
from soak_inputs import Trial
from soak_inputs._mutate import damaged_value, endless
from support.checkpoints import Shape, write_checkpoint
from support.gguf_fuzz import mutate

__all__ = ["CLASS", "trials"]

CLASS = "safetensors"

_SHAPE = Shape(hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=32, vocab=280)
_INDEX = "model.safetensors.index.json"
_SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
_VAST = 1 << 40


def trials(seed: int) -> Iterator[Trial]:
    """A checkpoint of two shards in which one file is damaged."""
    return endless(seed, "shard", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    folder, whole = _checkpoint()
    name = rng.choice((*_SHARDS, *_SHARDS, _INDEX))
    path = folder / name
    try:
        path.write_bytes(_damaged(name, whole[name], rng))
        if name != _INDEX and rng.randrange(6) == 0:
            with path.open("r+b") as file:
                file.truncate(_VAST)
        opened = open_checkpoint(folder)
        with ShardReader() as reader:
            for info in opened.tensors.values():
                if info.nbytes < 1 << 24:
                    reader.read(info)
    finally:
        path.write_bytes(whole[name])


def _damaged(name: str, whole: bytes, rng: random.Random) -> bytes:
    length = int.from_bytes(whole[:8], "little") if name != _INDEX else 0
    kind = rng.randrange(3)
    if name == _INDEX:
        if kind:
            return json.dumps(damaged_value(json.loads(whole), rng)).encode()
        return mutate(whole, rng)
    if kind == 0:  # a header of which every length is right, and what it says is not
        header = json.dumps(damaged_value(json.loads(whole[8 : 8 + length]), rng)).encode()
        return len(header).to_bytes(8, "little") + header + whole[8 + length :]
    if kind == 1:
        return mutate(whole[: 8 + length], rng) + whole[8 + length :]
    return mutate(whole, rng)


@cache
def _checkpoint() -> tuple[Path, dict[str, bytes]]:
    folder = write_checkpoint(Path("checkpoint"), "qwen2", _SHAPE, shards=2)
    return folder, {name: (folder / name).read_bytes() for name in (*_SHARDS, _INDEX)}
