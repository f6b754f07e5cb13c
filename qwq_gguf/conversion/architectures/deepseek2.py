"""DeepSeek-V3 and R1, and GLM-4.7-Flash: latent attention, shared and routed experts.

Keys and values of all heads come out of one short vector a token (arXiv 2405.04434). llama.cpp
multiplies the halves of the matrix that unfolds it into the queries and into the output, so
`kv_b_proj` becomes two tensors of a matrix a head: `attn_k_b`, whose matrices are turned, and
`attn_v_b`. To the rest of the file the attention then has a single, wide key head.

The layers after the last predict a further token. Of DeepSeek's they are left out, as the
converter leaves them; of GLM's they are kept.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from qwq_gguf.conversion.architectures.base import (
    MLP,
    NORMS,
    Architecture,
    TensorRule,
    experts,
)
from qwq_gguf.conversion.architectures.routed import (
    NEXT_TOKEN,
    ROUTER,
    SHARED,
    dense_layers,
    next_token_layers,
    shared_experts,
)
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.parts import View
from qwq_gguf.metadata import KeyValue, boolean, f32, u32

__all__ = ["DEEPSEEK2", "GLM_FLASH"]

_WIDE = "embedding"
_LAYER = re.compile(r"model\.layers\.(\d{1,6})\.")
_OUTPUT = TensorRule("self_attn.o_proj.weight", "attn_output.weight", (_WIDE, "values"))
_LATENT = (
    TensorRule("self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight", ("kv_a", _WIDE)),
    TensorRule("self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight", ("kv_rank",)),
)
_QUERIES = (TensorRule("self_attn.q_proj.weight", "attn_q.weight", ("queries", _WIDE)),)
_LATENT_QUERIES = (
    TensorRule("self_attn.q_a_proj.weight", "attn_q_a.weight", ("q_rank", _WIDE)),
    TensorRule("self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight", ("q_rank",)),
    TensorRule("self_attn.q_b_proj.weight", "attn_q_b.weight", ("queries", "q_rank")),
)


class _Heads(NamedTuple):
    """Lengths of the latent vectors, and of a head's parts: of the key what keeps its
    position out and what is rotated, and the value.
    """

    q_rank: int
    kv_rank: int
    still: int
    rotated: int
    value: int

    @classmethod
    def of(cls, config: ModelConfig) -> _Heads:
        fields = config.fields
        return cls(
            fields.integer("q_lora_rank", 2**16, default=0),
            fields.integer("kv_lora_rank", 2**16),
            fields.integer("qk_nope_head_dim", 2**14),
            fields.integer("qk_rope_head_dim", 2**14),
            fields.integer("v_head_dim", 2**14),
        )


def _sizes(config: ModelConfig) -> dict[str, int]:
    heads = _Heads.of(config)
    return {
        "q_rank": heads.q_rank,
        "kv_rank": heads.kv_rank,
        "kv_a": heads.kv_rank + heads.rotated,
        "kv_b": config.heads * (heads.still + heads.value),
        "queries": config.heads * (heads.still + heads.rotated),
        "values": config.heads * heads.value,
        "shared": config.expert_feed_forward * shared_experts(config),
        "twice_embedding": 2 * config.embedding,
    }


@lru_cache(maxsize=4)  # alike in all layers
def _unfolding(count: int, heads: _Heads) -> tuple[TensorRule, ...]:
    """Of each head's rows the first are for the key, the others for the value."""
    each = heads.still + heads.value
    starts = range(0, count * each, each)
    keys = tuple(range(start, start + heads.still) for start in starts)
    values = tuple(range(start + heads.still, start + each) for start in starts)
    rule = TensorRule("self_attn.kv_b_proj.weight", "", ("kv_b", "kv_rank"))
    turned = View((count, heads.kv_rank, heads.still), keys, turned=True)
    straight = View((count, heads.value, heads.kv_rank), values)
    return (
        replace(rule, target="attn_k_b.weight", view=turned),
        replace(rule, target="attn_v_b.weight", view=straight),
    )


def _block(config: ModelConfig, layer: int) -> tuple[TensorRule, ...]:
    heads = _Heads.of(config)
    queries = _LATENT_QUERIES if heads.q_rank else _QUERIES
    attention = (*NORMS, *queries, *_LATENT, *_unfolding(config.heads, heads), _OUTPUT)
    if layer < dense_layers(config):
        return (*attention, *MLP)
    shared = SHARED if shared_experts(config) else ()
    own = config.fields.integer("num_hidden_layers", 2**12)
    following = NEXT_TOKEN if layer >= own else ()
    return (*attention, *ROUTER, *shared, *experts(config.experts), *following)


def _head_sizes(config: ModelConfig) -> tuple[int, int]:
    heads = _Heads.of(config)
    return heads.kv_rank + heads.rotated, heads.kv_rank


def _flash_head_sizes(config: ModelConfig) -> tuple[int, int] | None:
    """Transformers gives DeepSeek's config a head size, and GLM's none."""
    return _head_sizes(config) if config.fields.values.get("head_dim") is not None else None


def _extra_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    heads = _Heads.of(config)
    fields = config.fields
    keys = [
        u32("deepseek2.leading_dense_block_count", dense_layers(config)),
        u32("deepseek2.vocab_size", config.vocab),
    ]
    if heads.q_rank:
        keys.append(u32("deepseek2.attention.q_lora_rank", heads.q_rank))
    keys += [
        u32("deepseek2.attention.kv_lora_rank", heads.kv_rank),
        u32("deepseek2.attention.key_length_mla", heads.still + heads.rotated),
        u32("deepseek2.attention.value_length_mla", heads.value),
        u32("deepseek2.expert_feed_forward_length", config.expert_feed_forward),
        u32("deepseek2.expert_shared_count", shared_experts(config)),
    ]
    if fields.values.get("routed_scaling_factor") is not None:
        scale = fields.number("routed_scaling_factor", 0.0, 1e6)
        keys.append(f32("deepseek2.expert_weights_scale", scale))
    if fields.flag("norm_topk_prob"):
        keys.append(boolean("deepseek2.expert_weights_norm", value=True))
    keys.append(u32("deepseek2.rope.dimension_count", heads.rotated))
    if config.rope.mscale_all is not None:
        # Without regard to the factor, for the sake of older files; llama.cpp knows.
        keys.append(f32("deepseek2.rope.scaling.yarn_log_multiplier", 0.1 * config.rope.mscale_all))
    return tuple(keys)


def _flash_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    keys = list(_extra_keys(config))
    if _flash_head_sizes(config) is None:
        key, value = _head_sizes(config)
        at = next(i for i, entry in enumerate(keys) if entry.key.endswith("key_length_mla"))
        keys[at:at] = [
            u32("deepseek2.attention.key_length", key),
            u32("deepseek2.attention.value_length", value),
        ]
    if following := next_token_layers(config):
        keys.append(u32("deepseek2.nextn_predict_layers", following))
    return tuple(keys)


def _left_out(config: ModelConfig, name: str) -> str | None:
    match = _LAYER.match(name)
    beyond = match is not None and int(match[1]) >= config.layers
    return "the layer that predicts a further token (MTP)" if beyond else None


def _one_key_head(config: ModelConfig) -> ModelConfig:
    return replace(config, kv_heads=1)


def _with_next_token(config: ModelConfig) -> ModelConfig:
    return replace(config, kv_heads=1, layers=config.layers + next_token_layers(config))


DEEPSEEK2 = Architecture(
    model_class="DeepseekV3ForCausalLM",
    name="deepseek2",
    block=_block,
    context=4096,
    head_dim=64,
    sizes=_sizes,
    adjusted=_one_key_head,
    head_sizes=_head_sizes,
    extra_keys=_extra_keys,
    left_out=_left_out,
)
GLM_FLASH = replace(
    DEEPSEEK2,
    model_class="Glm4MoeLiteForCausalLM",
    context=202752,
    adjusted=_with_next_token,
    head_sizes=_flash_head_sizes,
    extra_keys=_flash_keys,
    special=(
        ("bos", "[gMASK]"),
        ("eot", "<|user|>"),
        ("unk", "<|endoftext|>"),
        ("eom", "<|observation|>"),
    ),
    splitting="glm4",
)
