"""Models with experts in their real shapes: each tensor gets the type that llama.cpp gives it.

The checkpoint is sparse, and so is the GGUF over which llama_model_quantize makes its dry run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.conversion import Conversion
from qwq_gguf.quantization import load_recipe, recipe_names
from qwq_gguf.quantization.planning.mix import choose_types
from support.checkpoints import Shape, config_of, tensor_shapes
from support.llama_quantize import decided_types, quantize
from support.sparse import sparse_checkpoint, sparse_gguf

QWEN3_30B_A3B = Shape(
    hidden=2048,
    layers=48,
    heads=32,
    kv_heads=4,
    feed_forward=6144,
    vocab=151936,
    head_dim=128,
    context=40960,
    experts=128,
    expert_feed_forward=768,
)
ANY_IMATRIX = {"anything": np.ones(1, dtype=np.float32)}


def qwen3_30b_a3b(folder: Path) -> Conversion:
    config = config_of("qwen3_moe", QWEN3_30B_A3B, num_experts_per_tok=8)
    return sparse_checkpoint(folder, config, tensor_shapes("qwen3_moe", QWEN3_30B_A3B, config), 16)


MODELS = {"Qwen3-30B-A3B": (qwen3_30b_a3b, 30_532_122_624)}


@pytest.fixture(scope="module", params=MODELS)
def model(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Conversion, Path]:
    folder = tmp_path_factory.mktemp("sparse")
    build, weights = MODELS[request.param]
    made = build(folder / request.param)
    assert sum(tensor.weights for tensor in made.tensors) == weights
    return made, sparse_gguf(made, folder / "bf16.gguf")


@pytest.mark.parametrize("name", recipe_names())
def test_types_are_llama_cpps(model: tuple[Conversion, Path], name: str) -> None:
    made, path = model
    recipe = load_recipe(name)
    for imatrix in (None, ANY_IMATRIX):
        log = quantize(path, path.with_name("x"), recipe.file_type, dry_run=True, imatrix=imatrix)
        choices = choose_types(made.tensors, made.facts, recipe, imatrix=imatrix is not None)
        ours = [(t.name, c.type) for t, c in zip(made.tensors, choices, strict=True)]
        assert ours == list(decided_types(log).items())
