"""Types of other architectures' GGUFs, against a dry run of llama_model_quantize; and the
bytes of a model with experts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.conversion.from_gguf import from_gguf
from qwq_gguf.ggml_types import FileType
from qwq_gguf.gguf_file import read_splits
from qwq_gguf.quantization import load_recipe, make_plan, recipe_names, run_plan
from qwq_gguf.quantization.planning.mix import choose_types
from support.any_gguf import EXPERTS, FUSED, UNGATED, Model, write_gguf
from support.imatrix import importance
from support.llama_quantize import decided_types, quantize

MODELS = {
    "qwen3-80": Model("qwen3", layers=80),
    "qwen3moe": Model("qwen3moe", EXPERTS, experts=128),
    "qwen3moe-4": Model("qwen3moe", EXPERTS, layers=17, kv_heads=8, experts=4),
    "qwen3moe-2": Model("qwen3moe", EXPERTS, kv_heads=8, experts=2),
    "qwen3moe-8": Model("qwen3moe", EXPERTS, layers=24, experts=8),
    "gemma3": Model("gemma3", kv_heads=4, tied=True),
    "glm4": Model("glm4", UNGATED),
    "mistral3": Model("mistral3"),
    "mistral3-80": Model("mistral3", layers=80),
    "phi3": Model("phi3", FUSED),
    "phi3-multi-head": Model("phi3", FUSED, layers=32, kv_heads=8),
    "seed_oss": Model("seed_oss", layers=64, kv_heads=1),
    "smollm3": Model("smollm3", tied=True),
}
# One of each kind of rule: by layers, by attention, by kind, by imatrix and by experts.
RECIPES = (
    *("Q4_K_M", "Q5_K_M", "Q3_K_M", "Q3_K_L", "Q2_K", "Q2_K_S", "Q4_K_S", "Q4_0", "Q8_0", "F16"),
    *("IQ4_XS", "IQ3_M", "IQ3_XS", "IQ3_XXS", "IQ2_M", "IQ2_XS", "IQ1_S"),
)


@pytest.mark.parametrize("name", MODELS)
def test_types_are_llama_cpps(name: str, tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    write_gguf(MODELS[name], path)
    made = from_gguf(read_splits(path))
    # For eight experts nearly every mix of llama.cpp has a rule of its own.
    names = recipe_names() if MODELS[name].experts == 8 else RECIPES
    for recipe in map(load_recipe, names):
        for imatrix in (None, {"anything": np.ones(1, dtype=np.float32)}):
            log = quantize(path, tmp_path / "x", recipe.file_type, dry_run=True, imatrix=imatrix)
            choices = choose_types(made.tensors, made.facts, recipe, imatrix=imatrix is not None)
            ours = [(t.name, c.type) for t, c in zip(made.tensors, choices, strict=True)]
            assert ours == list(decided_types(log).items()), recipe.name


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "imatrix"])
@pytest.mark.parametrize("name", ["qwen3moe", "phi3"])
def test_bytes_are_llama_cpps(name: str, weighted: bool, tmp_path: Path) -> None:
    """Experts have a matrix each, and a row of importance each."""
    path = tmp_path / "base.gguf"
    model = {
        "qwen3moe": Model("qwen3moe", EXPERTS, layers=2, experts=3),
        "phi3": Model("phi3", FUSED, layers=2),
    }[name]
    write_gguf(model, path, fill=True)
    made = from_gguf(read_splits(path))
    matrix = importance(made) if weighted else None
    plan = make_plan(made, load_recipe("Q2_K"), imatrix=matrix)
    run_plan(plan, tmp_path / "ours.gguf", kernels="ggml")  # nothing to compile
    quantize(
        path,
        tmp_path / "theirs.gguf",
        FileType.Q2_K,
        imatrix=None if matrix is None else matrix.entries,
        keys=() if matrix is None else matrix.metadata(),
    )
    assert (tmp_path / "ours.gguf").read_bytes() == (tmp_path / "theirs.gguf").read_bytes()
