"""QwQ-32B's own shapes: 65 GB that are never read."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from support.checkpoints import (
    Shape,
    config_of,
    qwen2_tokenizer,
    tensor_shapes,
    write_json,
    write_sparse_shards,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose 14 shards are headers and holes."""
    folder = tmp_path_factory.mktemp("sparse") / "QwQ-32B"
    folder.mkdir()
    shape = Shape(
        hidden=5120,
        layers=64,
        heads=40,
        kv_heads=8,
        feed_forward=27648,
        vocab=152064,
        context=40960,
    )
    config = config_of("qwen2", shape)
    write_json(folder / "config.json", config)
    for name, content in zip(
        ("tokenizer.json", "tokenizer_config.json"), qwen2_tokenizer(), strict=True
    ):
        write_json(folder / name, content)
    write_sparse_shards(folder, tensor_shapes("qwen2", shape, config), 14)
    return folder


def test_a_65_gb_checkpoint_is_understood_in_seconds(folder: Path) -> None:
    started = time.process_time()
    conversion = convert(open_checkpoint(folder))
    assert time.process_time() - started < 3
    assert sum(tensor.weights for tensor in conversion.tensors) == 32_763_876_352
    values = {entry.key: entry.value for entry in conversion.metadata}
    assert values["general.name"] == "QwQ 32B"
    assert values["general.size_label"] == "32B"
    assert values["qwen2.context_length"] == 40960
    assert len(conversion.tensors) == 771
    facts = conversion.facts
    assert (facts.layers, facts.heads, facts.kv_heads, facts.vocab) == (64, 40, 8, 152064)


def test_its_weights_are_what_the_model_page_says(folder: Path) -> None:
    checkpoint = open_checkpoint(folder)
    assert checkpoint.weight_bytes == 65_527_752_704
    assert len(checkpoint.shards) == 14
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == checkpoint.weight_bytes
