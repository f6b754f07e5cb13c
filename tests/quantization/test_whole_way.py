"""From a checkpoint folder to a plan and a file, with every room's own code."""

from __future__ import annotations

import json
import time
from math import prod
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.gguf_file import read_gguf
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from support.checkpoints import (
    Shape,
    config_of,
    qwen2_tokenizer,
    tensor_shapes,
    write_checkpoint,
    write_json,
)

QWQ = Shape(
    hidden=5120, layers=64, heads=40, kv_heads=8, feed_forward=27648, vocab=152064, context=40960
)


def write_sparse_checkpoint(folder: Path, shards: int = 14) -> None:
    """QwQ-32B's headers over holes: 65 GB that take no space."""
    config = config_of("qwen2", QWQ)
    write_json(folder / "config.json", config)
    tokenizer, tokenizer_config = qwen2_tokenizer()
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "tokenizer_config.json", tokenizer_config)
    shapes = tensor_shapes("qwen2", QWQ, config)
    names = list(shapes)
    weight_map: dict[str, str] = {}
    for index in range(shards):
        part = names[index * len(names) // shards : (index + 1) * len(names) // shards]
        name = f"model-{index + 1:05d}-of-{shards:05d}.safetensors"
        header, end = {}, 0
        for tensor in part:
            start, end = end, end + 2 * prod(shapes[tensor])
            header[tensor] = {
                "dtype": "BF16",
                "shape": list(shapes[tensor]),
                "data_offsets": [start, end],
            }
        text = json.dumps(header).encode()
        with (folder / name).open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            file.truncate(8 + len(text) + end)
        weight_map |= dict.fromkeys(part, name)
    write_json(folder / "model.safetensors.index.json", {"weight_map": weight_map})


def test_a_65_gb_checkpoint_is_planned_in_three_seconds(tmp_path: Path) -> None:
    write_sparse_checkpoint(tmp_path)
    start = time.process_time()
    plan = make_plan(convert(open_checkpoint(tmp_path)), load_recipe("Q4_K_M"))
    said = plan.to_json()
    assert time.process_time() - start < 3
    assert sum(tensor["bytes"] for tensor in said["tensors"]) == 19_845_357_568
    assert plan.file_bytes - plan.data_offset == 19_845_357_568
    assert len(said["metadata"]["tokenizer.ggml.tokens"]) == 152064


@pytest.mark.parametrize("architecture", ["qwen2", "qwen3", "llama"])
def test_a_checkpoint_becomes_its_plan(tmp_path: Path, architecture: str) -> None:
    folder = write_checkpoint(tmp_path / "Some-Model", architecture, shards=2)  # type: ignore[arg-type]
    plan = make_plan(convert(open_checkpoint(folder)), load_recipe("Q4_K_M"))
    run_plan(plan, tmp_path / "out.gguf")
    file = read_gguf(tmp_path / "out.gguf")
    assert file.architecture == architecture == plan.architecture
    assert tuple(file.metadata.values()) == plan.metadata
    assert file.file_bytes == plan.file_bytes
