"""Checkpoints of the families that are not plain decoders: config.json, and every tensor's shape.

Each is a function of few numbers, so that the tests have tiny ones and the real ones from the
same words. A change to None leaves a key of config.json out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from support.checkpoints import (
    Array,
    byte_tokenizer,
    random_tensors,
    write_json,
    write_tensors,
)

__all__ = [
    "GPT_OSS_20B",
    "QWEN35_35B_A3B",
    "QWEN35_9B",
    "R1",
    "Family",
    "deepseek_v3",
    "gated",
    "gpt_oss",
    "in_mxfp4",
    "qwen35",
    "write_family",
]

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Family:
    """What a checkpoint consists of."""

    config: dict[str, Any]
    shapes: Shapes

    @property
    def values(self) -> Mapping[str, Any]:
        """The numbers of the text model."""
        return {**self.config, **self.config.get("text_config", {})}


def write_family(
    folder: Path,
    family: Family,
    *,
    dtype: str = "BF16",
    shards: int = 1,
    tokenizer: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
    tensors: Mapping[str, tuple[str, Array]] | None = None,
    generation_config: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """A checkpoint folder with random weights, or with these."""
    folder.mkdir(parents=True)
    if tensors is None:
        made = random_tensors(family.shapes, dtype, seed)
        tensors = {name: (dtype, values) for name, values in made.items()}
    write_json(folder / "config.json", family.config)
    for name, content in zip(
        ("tokenizer.json", "tokenizer_config.json"), tokenizer or byte_tokenizer(), strict=True
    ):
        write_json(folder / name, content)
    if generation_config is not None:
        write_json(folder / "generation_config.json", generation_config)
    write_tensors(folder, tensors, shards)
    return folder


def _outer(wide: int, vocab: int, prefix: str = "model.") -> Shapes:
    return {
        f"{prefix}embed_tokens.weight": (vocab, wide),
        f"{prefix}norm.weight": (wide,),
        "lm_head.weight": (vocab, wide),
    }


def gated(name: str, wide: int, inner: int) -> Shapes:
    """A gated MLP."""
    return {
        f"{name}.gate_proj.weight": (inner, wide),
        f"{name}.up_proj.weight": (inner, wide),
        f"{name}.down_proj.weight": (wide, inner),
    }


def deepseek_v3(
    *,
    hidden: int = 256,
    layers: int = 3,
    dense: int = 1,
    heads: int = 4,
    q_rank: int | None = 96,
    kv_rank: int = 64,
    nope: int = 32,
    rope: int = 16,
    value: int = 32,
    inner: int = 320,
    expert_inner: int = 64,
    experts: int = 12,
    shared: int = 1,
    vocab: int = 320,
    following: int = 0,
    model_class: str = "DeepseekV3ForCausalLM",
    **changes: Any,
) -> Family:
    """DeepSeek-V3 and R1, and GLM-4.7-Flash: `following` layers predict a token more."""
    lite = model_class == "Glm4MoeLiteForCausalLM"
    config: dict[str, Any] = {
        "architectures": [model_class],
        "model_type": "glm4_moe_lite" if lite else "deepseek_v3",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "first_k_dense_replace": dense,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "q_lora_rank": q_rank,
        "kv_lora_rank": kv_rank,
        "qk_nope_head_dim": nope,
        "qk_rope_head_dim": rope,
        "v_head_dim": value,
        "intermediate_size": inner,
        "moe_intermediate_size": expert_inner,
        "n_routed_experts": experts,
        "n_shared_experts": shared,
        "num_experts_per_tok": 4,
        "n_group": 4,
        "topk_group": 2,
        "norm_topk_prob": True,
        "routed_scaling_factor": 2.5,
        "scoring_func": "sigmoid",
        "topk_method": "noaux_tc",
        "num_nextn_predict_layers": following,
        "vocab_size": vocab,
        "max_position_embeddings": 2048,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "bos_token_id": 278,
        "eos_token_id": 280,
        "torch_dtype": "bfloat16",
    } | changes
    shapes = _outer(hidden, vocab)
    for layer in range(layers + following):
        block: Shapes = {
            "input_layernorm.weight": (hidden,),
            "post_attention_layernorm.weight": (hidden,),
            "self_attn.kv_a_proj_with_mqa.weight": (kv_rank + rope, hidden),
            "self_attn.kv_a_layernorm.weight": (kv_rank,),
            "self_attn.kv_b_proj.weight": (heads * (nope + value), kv_rank),
            "self_attn.o_proj.weight": (hidden, heads * value),
        }
        if q_rank is None:
            block["self_attn.q_proj.weight"] = (heads * (nope + rope), hidden)
        else:
            block["self_attn.q_a_proj.weight"] = (q_rank, hidden)
            block["self_attn.q_a_layernorm.weight"] = (q_rank,)
            block["self_attn.q_b_proj.weight"] = (heads * (nope + rope), q_rank)
        if layer < dense:
            block |= gated("mlp", hidden, inner)
        else:
            block["mlp.gate.weight"] = (experts, hidden)
            block["mlp.gate.e_score_correction_bias"] = (experts,)
            block |= gated("mlp.shared_experts", hidden, expert_inner * shared)
            for number in range(experts):
                block |= gated(f"mlp.experts.{number}", hidden, expert_inner)
        if layer >= layers:
            block |= {
                "enorm.weight": (hidden,),
                "hnorm.weight": (hidden,),
                "eh_proj.weight": (hidden, 2 * hidden),
                "shared_head.norm.weight": (hidden,),
                "shared_head.head.weight": (vocab, hidden),
                "embed_tokens.weight": (vocab, hidden),
            }
        shapes |= {f"model.layers.{layer}.{name}": size for name, size in block.items()}
    return Family({key: each for key, each in config.items() if each is not None}, shapes)


def gpt_oss(
    *,
    hidden: int = 64,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    head: int = 32,
    inner: int = 96,
    experts: int = 4,
    vocab: int = 320,
    packed: bool = True,
    **changes: Any,
) -> Family:
    """gpt-oss, its experts `packed` in MXFP4 or in BF16 with rows and columns exchanged."""
    config: dict[str, Any] = {
        "architectures": ["GptOssForCausalLM"],
        "model_type": "gpt_oss",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head,
        "intermediate_size": inner,
        "num_local_experts": experts,
        "num_experts_per_tok": 2,
        "sliding_window": 128,
        "layer_types": ["sliding_attention", "full_attention"] * (layers // 2),
        "attention_bias": True,
        "swiglu_limit": 7.0,
        "vocab_size": vocab,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 150000,
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": 32.0,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "truncate": False,
            "original_max_position_embeddings": 4096,
        },
        "tie_word_embeddings": False,
        "eos_token_id": 280,
        "pad_token_id": 278,
    } | changes
    if packed:
        config["quantization_config"] = {
            "quant_method": "mxfp4",
            "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router"],
        }
    shapes = _outer(hidden, vocab)
    for layer in range(layers):
        block: Shapes = {
            "input_layernorm.weight": (hidden,),
            "post_attention_layernorm.weight": (hidden,),
            "self_attn.q_proj.weight": (heads * head, hidden),
            "self_attn.q_proj.bias": (heads * head,),
            "self_attn.k_proj.weight": (kv_heads * head, hidden),
            "self_attn.k_proj.bias": (kv_heads * head,),
            "self_attn.v_proj.weight": (kv_heads * head, hidden),
            "self_attn.v_proj.bias": (kv_heads * head,),
            "self_attn.o_proj.weight": (hidden, heads * head),
            "self_attn.o_proj.bias": (hidden,),
            "self_attn.sinks": (heads,),
            "mlp.router.weight": (experts, hidden),
            "mlp.router.bias": (experts,),
            "mlp.experts.gate_up_proj_bias": (experts, 2 * inner),
            "mlp.experts.down_proj_bias": (experts, hidden),
        }
        if packed:
            block |= {
                "mlp.experts.gate_up_proj_blocks": (experts, 2 * inner, hidden // 32, 16),
                "mlp.experts.gate_up_proj_scales": (experts, 2 * inner, hidden // 32),
                "mlp.experts.down_proj_blocks": (experts, hidden, inner // 32, 16),
                "mlp.experts.down_proj_scales": (experts, hidden, inner // 32),
            }
        else:
            block |= {
                "mlp.experts.gate_up_proj": (experts, hidden, 2 * inner),
                "mlp.experts.down_proj": (experts, inner, hidden),
            }
        shapes |= {f"model.layers.{layer}.{name}": size for name, size in block.items()}
    return Family(config, shapes)


def qwen35(
    *,
    kind: str = "qwen3_5",
    hidden: int = 64,
    layers: int = 4,
    interval: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    head: int = 32,
    key_heads: int = 2,
    value_heads: int = 6,
    linear_head: int = 16,
    inner: int = 96,
    experts: int = 0,
    expert_inner: int = 32,
    vocab: int = 320,
    following: int = 0,
    vision: bool = False,
    **changes: Any,
) -> Family:
    """Qwen3.5 and its successors, with `experts` or without; `kind` "qwen3_next" is Qwen3-Next,
    whose experts are saved one by one. `following` layers predict a token more.
    """
    grouped = kind == "qwen3_next"
    stem = {"qwen3_5": "Qwen3_5", "qwen3_5_moe": "Qwen3_5Moe", "qwen3_next": "Qwen3Next"}[kind]
    kinds = [
        ("full" if (i + 1) % interval == 0 else "linear") + "_attention" for i in range(layers)
    ]
    rope = {"rope_theta": 10000000, "partial_rotary_factor": 0.25, "rope_type": "default"}
    text: dict[str, Any] = {
        "model_type": kind if grouped else f"{kind}_text",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head,
        "layer_types": kinds,
        "full_attention_interval": interval,
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": linear_head,
        "linear_value_head_dim": linear_head,
        "linear_num_key_heads": key_heads,
        "linear_num_value_heads": value_heads,
        "vocab_size": vocab,
        "max_position_embeddings": 262144,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": False,
        "eos_token_id": 280,
    }
    if grouped:
        text |= {"rope_theta": 10000000, "partial_rotary_factor": 0.25}
    else:
        text["rope_parameters"] = rope | {"mrope_section": [2, 1, 1], "mrope_interleaved": True}
        text["mtp_num_hidden_layers"] = following
    if experts:
        text |= {
            "num_experts": experts,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": expert_inner,
            "shared_expert_intermediate_size": expert_inner,
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
        }
    if not experts or grouped:
        text["intermediate_size"] = inner
    text |= changes
    if vision:
        config: dict[str, Any] = {
            "architectures": [f"{stem}ForConditionalGeneration"],
            "model_type": kind,
            "text_config": text,
            "vision_config": {"depth": 1, "hidden_size": 32, "model_type": kind},
            "image_token_id": 5,
        }
    else:
        config = {"architectures": [f"{stem}ForCausalLM"], **text}
    keys, values = key_heads * linear_head, value_heads * linear_head
    prefix = "model.language_model." if vision else "model."
    full: Shapes = {
        "self_attn.q_proj.weight": (2 * heads * head, hidden),
        "self_attn.k_proj.weight": (kv_heads * head, hidden),
        "self_attn.v_proj.weight": (kv_heads * head, hidden),
        "self_attn.o_proj.weight": (hidden, heads * head),
        "self_attn.q_norm.weight": (head,),
        "self_attn.k_norm.weight": (head,),
    }
    linear: Shapes = {
        "linear_attn.conv1d.weight": (2 * keys + values, 1, 4),
        "linear_attn.A_log": (value_heads,),
        "linear_attn.dt_bias": (value_heads,),
        "linear_attn.norm.weight": (linear_head,),
        "linear_attn.out_proj.weight": (hidden, values),
    }
    if grouped:
        linear["linear_attn.in_proj_qkvz.weight"] = (2 * keys + 2 * values, hidden)
        linear["linear_attn.in_proj_ba.weight"] = (2 * value_heads, hidden)
    else:
        linear["linear_attn.in_proj_qkv.weight"] = (2 * keys + values, hidden)
        linear["linear_attn.in_proj_z.weight"] = (values, hidden)
        linear["linear_attn.in_proj_a.weight"] = (value_heads, hidden)
        linear["linear_attn.in_proj_b.weight"] = (value_heads, hidden)
    mlp = gated("mlp", hidden, inner)
    if experts:
        mlp = {
            "mlp.gate.weight": (experts, hidden),
            "mlp.shared_expert_gate.weight": (1, hidden),
            **gated("mlp.shared_expert", hidden, expert_inner),
        }
        if grouped:
            for number in range(experts):
                mlp |= gated(f"mlp.experts.{number}", hidden, expert_inner)
        else:
            mlp["mlp.experts.gate_up_proj"] = (experts, 2 * expert_inner, hidden)
            mlp["mlp.experts.down_proj"] = (experts, hidden, expert_inner)
    mlp |= {"input_layernorm.weight": (hidden,), "post_attention_layernorm.weight": (hidden,)}
    shapes = _outer(hidden, vocab, prefix)
    for layer, attention in enumerate(kinds):
        block = (full if attention == "full_attention" else linear) | mlp
        shapes |= {f"{prefix}layers.{layer}.{name}": size for name, size in block.items()}
    for layer in range(following):
        shapes |= {f"mtp.layers.{layer}.{name}": size for name, size in (full | mlp).items()}
    if following:
        shapes |= {
            "mtp.fc.weight": (hidden, 2 * hidden),
            "mtp.pre_fc_norm_embedding.weight": (hidden,),
            "mtp.pre_fc_norm_hidden.weight": (hidden,),
            "mtp.norm.weight": (hidden,),
        }
    if vision:
        shapes |= {
            "model.visual.blocks.0.attn.qkv.weight": (96, 32),
            "model.visual.merger.norm.weight": (32,),
        }
    return Family(config, shapes)


def in_mxfp4(shapes: Shapes) -> dict[str, tuple[str, Array]]:
    """Random weights of gpt-oss: random bits of four, with scales that make them small."""
    chance = np.random.default_rng(1)
    plain = {name: size for name, size in shapes.items() if not name.endswith(_PACKED)}
    made = {name: ("BF16", values) for name, values in random_tensors(plain, "BF16").items()}
    for name, size in shapes.items():
        if name.endswith(_PACKED):
            least, most = (0, 256) if name.endswith("blocks") else (120, 124)
            made[name] = ("U8", chance.integers(least, most, size, dtype=np.uint8))
    return {name: made[name] for name in shapes}


_PACKED = ("_blocks", "_scales")
QWEN35_35B_A3B = qwen35(
    kind="qwen3_5_moe",
    hidden=2048,
    layers=40,
    interval=4,
    heads=16,
    kv_heads=2,
    head=256,
    key_heads=16,
    value_heads=32,
    linear_head=128,
    experts=256,
    expert_inner=512,
    vocab=248320,
    following=1,
    vision=True,
)
QWEN35_9B = qwen35(
    hidden=4096,
    layers=32,
    interval=4,
    heads=16,
    kv_heads=4,
    head=256,
    key_heads=16,
    value_heads=32,
    linear_head=128,
    inner=12288,
    vocab=248320,
    following=1,
    vision=True,
)
"""A dense one of a size that is plausible."""
GPT_OSS_20B = gpt_oss(
    hidden=2880,
    layers=24,
    heads=64,
    kv_heads=8,
    head=64,
    inner=2880,
    experts=32,
    vocab=201088,
    num_experts_per_tok=4,
)
R1 = deepseek_v3(
    hidden=7168,
    layers=61,
    dense=3,
    heads=128,
    q_rank=1536,
    kv_rank=512,
    nope=128,
    rope=64,
    value=128,
    inner=18432,
    expert_inner=2048,
    experts=256,
    vocab=129280,
    following=1,
    num_experts_per_tok=8,
    n_group=8,
    topk_group=4,
    max_position_embeddings=163840,
    rope_scaling={
        "type": "yarn",
        "factor": 40,
        "original_max_position_embeddings": 4096,
        "beta_fast": 32,
        "beta_slow": 1,
        "mscale": 1.0,
        "mscale_all_dim": 1.0,
    },
    quantization_config={
        "quant_method": "fp8",
        "fmt": "e4m3",
        "weight_block_size": [128, 128],
        "activation_scheme": "dynamic",
    },
)
"""DeepSeek-R1 and V3."""
