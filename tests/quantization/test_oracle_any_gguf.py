"""GGUFs of every architecture that llama.cpp's quantizer takes, by their tensors' names: types
against its dry run, bytes against what it writes.

The oracle reads an architecture's hyperparameters and no more, so small files with its keys
stand for real ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.conversion.from_gguf import from_gguf
from qwq_gguf.gguf_file import read_splits
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, f32, u32
from qwq_gguf.quantization import load_recipe, make_plan, recipe_names, run_plan
from qwq_gguf.quantization.planning.mix import choose_types
from support.any_gguf import DENSE, EXPERTS, FUSED, Model, write_gguf
from support.goldens import CASES
from support.llama_quantize import decided_types, quantize
from support.oracle import as_model
from support.weights import file_type_of

# Those that llama.cpp reads with the keys below. Of those that have more kinds of layers there
# are files further down that our converter made.
ARCHITECTURES = (
    *("afmoe", "arcee", "arctic", "arwkv7", "baichuan", "bailingmoe", "bailingmoe2"),
    *("bert", "bitnet", "bloom", "chatglm", "codeshell", "cogvlm", "cohere2"),
    *("cohere2moe", "command-r", "dbrx", "deci", "deepseek", "deepseek2"),
    *("deepseek2-ocr", "deepseek32", "dots1", "dream", "ernie4_5", "ernie4_5-moe"),
    *("eurobert", "exaone", "exaone-moe", "exaone4", "falcon-h1", "gemma"),
    *("gemma-embedding", "gemma2", "gemma3n", "gemma4", "gemma4-assistant", "glm-dsa"),
    *("glm4moe", "gpt-oss", "gpt2", "gptneox", "granite", "granite_swa", "granitehybrid"),
    *("granitemoe", "grok", "hunyuan-dense", "hunyuan-moe", "hunyuan_vl", "hy_v3"),
    *("internlm2", "jais", "jais2", "jamba", "jina-bert-v2", "jina-bert-v3", "laguna"),
    *("lfm2", "lfm2moe", "llada", "llada-moe", "llama-embed", "llama4", "maincoder"),
    *("mamba", "mamba2", "mellum", "mimo2", "minicpm", "minicpm3", "minimax-01"),
    *("minimax-m2", "mistral4", "modern-bert", "mpt", "muse-glimmer", "nanbeige"),
    *("nemotron", "nemotron_h", "nemotron_h_moe", "neo-bert", "nomic-bert"),
    *("nomic-bert-moe", "olmo", "olmo2", "olmoe", "openelm", "orion", "paddleocr"),
    *("pangu-embedded", "phi2", "phimoe", "plamo", "plamo2", "plamo3", "plm"),
    *("pockettts", "qwen", "qwen2moe", "qwen2vl", "qwen35", "qwen35moe", "qwen3moe"),
    *("qwen3next", "qwen3tts", "qwen3vl", "qwen3vlmoe", "refact", "rnd1", "rwkv6"),
    *("rwkv6qwen2", "rwkv7", "smallthinker", "spark2_5", "stablelm", "starcoder"),
    *("starcoder2", "step35", "t5", "t5encoder", "talkie", "xverse"),
)
LAYERS = {"dense": DENSE, "experts": EXPERTS, "fused": FUSED}
# Which of these llama.cpp does not read, or we see to be incomplete.
WITHOUT = {
    "gemma3": ("fused",),
    "glm4": ("dense", "fused"),
    "llama": ("fused",),
    "mistral3": ("fused",),
    "phi3": ("dense",),
    "qwen2": ("fused",),
    "qwen3": ("fused",),
    "seed_oss": ("fused",),
    "smollm3": ("fused",),
}

ANY_IMATRIX = {"anything": np.ones(1, dtype=np.float32)}
FAMILIES = (
    *("deepseek", "glm-flash", "gpt-oss-bf16", "qwen35", "qwen35moe", "qwen3next", "qwen3moe"),
    *("glm4moe", "seed-oss", "smollm3", "phi3-long", "ministral3", "olmo3", "exaone4"),
    *("gemma4", "gemma4-moe", "gemma4-small", "nemotron-h", "nemotron-h-moe", "nemotron-h-latent"),
    *("phi3", "olmo2", "magistral", "qwen2", "qwen3", "llama"),
)


def keys_of(name: str) -> list[KeyValue]:
    """Hyperparameters that one architecture or another insists on."""
    return [
        f32(f"{name}.attention.layer_norm_epsilon", 1e-5),
        f32(f"{name}.attention.layer_norm_rms_epsilon", 1e-5),
        f32(f"{name}.attention.group_norm_epsilon", 1e-5),
        u32(f"{name}.attention.group_norm_groups", 1),
        f32(f"{name}.attention.scale", 0.1),
        f32(f"{name}.attention.temperature_scale", 0.1),
        u32(f"{name}.attention.temperature_length", 1024),
        f32(f"{name}.attention.max_alibi_bias", 8.0),
        f32(f"{name}.attention.clamp_kqv", 0.0),
        u32(f"{name}.attention.sliding_window", 128),
        array(f"{name}.attention.sliding_window_pattern", ValueType.BOOL, [True, False] * 12),
        array(f"{name}.attention.recurrent_layers", ValueType.BOOL, [True, False] * 12),
        u32(f"{name}.attention.key_length", 64),
        u32(f"{name}.attention.value_length", 64),
        u32(f"{name}.attention.key_length_swa", 64),
        u32(f"{name}.attention.value_length_swa", 64),
        u32(f"{name}.attention.key_length_mla", 64),
        u32(f"{name}.attention.value_length_mla", 64),
        u32(f"{name}.attention.q_lora_rank", 64),
        u32(f"{name}.attention.kv_lora_rank", 64),
        u32(f"{name}.attention.decay_lora_rank", 64),
        u32(f"{name}.attention.iclr_lora_rank", 64),
        u32(f"{name}.attention.value_residual_mix_lora_rank", 64),
        u32(f"{name}.attention.gate_lora_rank", 64),
        u32(f"{name}.attention.relative_buckets_count", 32),
        u32(f"{name}.attention.indexer.head_count", 4),
        u32(f"{name}.attention.indexer.key_length", 64),
        u32(f"{name}.attention.indexer.top_k", 64),
        boolean(f"{name}.attention.causal", value=True),
        boolean(f"{name}.use_parallel_residual", value=True),
        u32(f"{name}.pooling_type", 1),
        u32(f"{name}.rope.dimension_count", 64),
        array(f"{name}.rope.dimension_sections", ValueType.INT32, [8, 8, 8, 0]),
        f32(f"{name}.logit_scale", 1.0),
        f32(f"{name}.residual_scale", 1.0),
        f32(f"{name}.embedding_scale", 1.0),
        f32(f"{name}.final_logit_softcapping", 30.0),
        u32(f"{name}.embedding_length_per_layer_input", 0),
        u32(f"{name}.expert_feed_forward_length", 256),
        u32(f"{name}.expert_shared_feed_forward_length", 256),
        u32(f"{name}.expert_shared_count", 1),
        f32(f"{name}.expert_weights_scale", 1.0),
        boolean(f"{name}.expert_weights_norm", value=True),
        u32(f"{name}.expert_gating_func", 2),
        u32(f"{name}.leading_dense_block_count", 1),
        u32(f"{name}.interleave_moe_layer_step", 1),
        u32(f"{name}.moe_every_n_layers", 2),
        u32(f"{name}.full_attention_interval", 4),
        u32(f"{name}.nextn_predict_layers", 0),
        u32(f"{name}.ssm.conv_kernel", 4),
        u32(f"{name}.ssm.inner_size", 512),
        u32(f"{name}.ssm.state_size", 16),
        u32(f"{name}.ssm.time_step_rank", 16),
        u32(f"{name}.ssm.group_count", 1),
        u32(f"{name}.wkv.head_size", 64),
        u32(f"{name}.token_shift_count", 2),
        u32(f"{name}.time_mix_extra_dim", 32),
        u32(f"{name}.time_decay_extra_dim", 32),
        u32(f"{name}.rescale_every_n_layers", 6),
        u32(f"{name}.shortconv.l_cache", 3),
        u32(f"{name}.swin_norm", 0),
        u32(f"{name}.n_deepstack_layers", 0),
        u32(f"{name}.decoder_start_token_id", 0),
    ]


@pytest.mark.parametrize("name", sorted({*ARCHITECTURES, *WITHOUT}))
def test_types_are_llama_cpps(name: str, tmp_path: Path) -> None:
    path = tmp_path / "base.gguf"
    for layers, parts in LAYERS.items():
        if layers in WITHOUT.get(name, ()):
            continue
        model = Model(name, parts, layers=24, kv_heads=4, experts=8 * (layers == "experts"))
        write_gguf(model, path, keys=keys_of(name))
        _check_types(path, ("Q4_K_M", "IQ3_XS"))


def test_layers_that_lack_a_part_are_counted_as_llama_cpp_counts_them(tmp_path: Path) -> None:
    """Every second layer has attention and no MLP, as hybrids have it."""
    path = tmp_path / "base.gguf"
    write_gguf(Model("granite", layers=24, alternate=True), path, keys=keys_of("granite"))
    _check_types(path, recipe_names())


def _check_types(path: Path, names: Iterable[str]) -> None:
    made = from_gguf(read_splits(path))
    for recipe in map(load_recipe, names):
        log = quantize(
            path, path.with_name("x"), recipe.file_type, dry_run=True, imatrix=ANY_IMATRIX
        )
        choices = choose_types(made.tensors, made.facts, recipe, imatrix=True)
        ours = [(t.name, c.type) for t, c in zip(made.tensors, choices, strict=True)]
        assert ours == list(decided_types(log).items()), recipe.name


@pytest.mark.parametrize("case", FAMILIES)
def test_bytes_are_llama_cpps(case: str, tmp_path: Path) -> None:
    """From the file of the checkpoint's own precision, of each family that is converted."""
    made = convert(open_checkpoint(CASES[case](tmp_path)))
    base = as_model(made, tmp_path, file_type_of(made).name).base
    recipe = load_recipe("Q3_K_M")
    again = make_plan(from_gguf(read_splits(base)), recipe)
    run_plan(again, tmp_path / "ours.gguf", kernels="ggml")  # nothing to compile
    quantize(base, tmp_path / "theirs.gguf", recipe.file_type)
    assert (tmp_path / "ours.gguf").read_bytes() == (tmp_path / "theirs.gguf").read_bytes()
