"""Types of other architectures' GGUFs, against a dry run of llama_model_quantize; and the
bytes of a model with experts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.conversion.from_gguf import from_gguf
from qwq_gguf.ggml_types import FileType, GgmlType
from qwq_gguf.gguf_file import encode_header, padded, read_splits, tensor_bytes
from qwq_gguf.metadata import f32, text, u32
from qwq_gguf.quantization import load_recipe, make_plan, recipe_names, run_plan
from qwq_gguf.quantization.planning.mix import choose_types
from support.imatrix import importance
from support.llama_quantize import decided_types, quantize
from support.shapes import encode

DENSE = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
FUSED = ("attn_qkv", "attn_output", "ffn_up", "ffn_down")
UNGATED = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_up", "ffn_down")
EXPERTS = (
    *("attn_q", "attn_k", "attn_v", "attn_output"),
    *("ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"),
)


@dataclass(frozen=True)
class Model:
    """A transformer of rows of 512 and 768 weights, eight attention heads."""

    architecture: str
    parts: tuple[str, ...] = DENSE
    layers: int = 9
    kv_heads: int = 2
    experts: int = 0
    tied: bool = False

    def tensors(self) -> Mapping[str, tuple[int, ...]]:
        width, inner, keys = 512, 768, 64 * self.kv_heads
        many = (self.experts,) if self.experts else ()
        shapes: dict[str, tuple[int, ...]] = {
            "attn_q": (width, width),
            "attn_k": (width, keys),
            "attn_v": (width, keys),
            "attn_qkv": (width, width + 2 * keys),
            "attn_output": (width, width),
            "ffn_gate": (width, inner),
            "ffn_up": (width, inner),
            "ffn_down": (inner, width),
            "ffn_gate_inp": (width, *many),
            "ffn_gate_exps": (width, inner, *many),
            "ffn_up_exps": (width, inner, *many),
            "ffn_down_exps": (inner, width, *many),
        }
        found: dict[str, tuple[int, ...]] = {
            "token_embd.weight": (width, 64),
            "output_norm.weight": (width,),
        }
        if not self.tied:
            found["output.weight"] = (width, 64)
        for layer in range(self.layers):
            found[f"blk.{layer}.attn_norm.weight"] = (width,)
            found |= {f"blk.{layer}.{part}.weight": shapes[part] for part in self.parts}
        return found


@dataclass
class Record:
    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int
    nbytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.nbytes = tensor_bytes(self.type, self.shape)


def write(model: Model, path: Path, *, fill: bool = False) -> None:
    """A BF16 file, all zeros that take no space, or random numbers."""
    records, end = [], 0
    for name, shape in model.tensors().items():
        exact = len(shape) < 2 or "ffn_gate_inp" in name
        records.append(Record(name, shape, GgmlType.F32 if exact else GgmlType.BF16, end))
        end += padded(records[-1].nbytes, 32)
    key = model.architecture
    metadata = [
        text("general.architecture", key),
        u32(f"{key}.block_count", model.layers),
        u32(f"{key}.context_length", 4096),
        u32(f"{key}.embedding_length", 512),
        u32(f"{key}.feed_forward_length", 768),
        u32(f"{key}.attention.head_count", 8),
        u32(f"{key}.attention.head_count_kv", model.kv_heads),
        f32(f"{key}.attention.layer_norm_rms_epsilon", 1e-6),
        u32(f"{key}.vocab_size", 64),
    ]
    if model.experts:
        metadata += [
            u32(f"{key}.expert_count", model.experts),
            u32(f"{key}.expert_used_count", 2),
        ]
    random = np.random.default_rng(3)
    with path.open("wb") as file:
        start = file.write(encode_header(metadata, records))
        for record in records if fill else ():
            file.seek(start + record.offset)
            values = (random.standard_t(4, prod(record.shape)) * 0.02).astype("<f4")
            file.write(encode(values, record.type.name))
        file.truncate(start + end)


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
    write(MODELS[name], path)
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
    write(model, path, fill=True)
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
