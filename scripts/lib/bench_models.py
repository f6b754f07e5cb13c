"""Random checkpoints of a real size for the benchmarks, written quickly and in little memory."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).resolve().parent.parent.parent / "tests"
sys.path.insert(0, str(TESTS))

from qwq_gguf.checkpoint import open_checkpoint  # noqa: E402
from qwq_gguf.checkpoint.values import TensorInfo  # noqa: E402
from qwq_gguf.machine import usable_processors  # noqa: E402
from support.checkpoints import (  # noqa: E402
    Shape,
    config_of,
    qwen2_tokenizer,
    tensor_shapes,
    write_json,
    write_sparse_shards,
)

__all__ = ["Shape", "weights_of", "write_model"]

_WINDOW = 1 << 24  # weights made at a time by each thread


def weights_of(shape: Shape) -> int:
    """How many weights a Qwen2 of this shape has."""
    sizes = tensor_shapes("qwen2", shape, config_of("qwen2", shape))
    return sum(math.prod(size) for size in sizes.values())


def write_model(
    folder: Path, shape: Shape, *, shards: int, tokenizer: Path | None = None, seed: int = 0
) -> Path:
    """A Qwen2 in BF16: normal weights, scaled by their row's length, the real vocabulary.

    `tokenizer` is a folder to take the vocabulary from instead of that of the tests.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = config_of("qwen2", shape)
    write_json(folder / "config.json", config)
    for name, content in _tokenizer(tokenizer).items():
        write_json(folder / name, content)
    write_sparse_shards(folder, tensor_shapes("qwen2", shape, config), shards)
    tensors = open_checkpoint(folder).tensors
    pieces = [piece for info in tensors.values() for piece in _pieces(info)]
    with ThreadPoolExecutor(usable_processors()) as pool:
        jobs = enumerate(pieces)
        for _ in pool.map(lambda job: _fill(*job[1], seed=seed + job[0]), jobs):
            pass
    return folder


def _tokenizer(folder: Path | None) -> Mapping[str, Any]:
    names = ("tokenizer.json", "tokenizer_config.json")
    if folder is None:
        return dict(zip(names, qwen2_tokenizer(), strict=True))
    return {name: json.loads((folder / name).read_text(encoding="utf-8")) for name in names}


def _pieces(info: TensorInfo) -> Iterator[tuple[TensorInfo, int, int]]:
    total = math.prod(info.shape)
    for first in range(0, total, _WINDOW):
        yield info, first, min(_WINDOW, total - first)


def _fill(info: TensorInfo, first: int, count: int, *, seed: int) -> None:
    weights = np.random.default_rng(seed).standard_normal(count, dtype=np.float32)
    if len(info.shape) > 1:
        weights /= math.sqrt(info.shape[-1])
    elif info.name.endswith("norm.weight"):
        weights *= 0.125
        weights += 1
    raw = (weights.view(np.uint32) >> 16).astype(np.uint16)
    with info.shard.open("r+b") as file:
        file.seek(info.start + 2 * first)
        file.write(raw.data)
