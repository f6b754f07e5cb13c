"""GLM-4.5, GLM-4.5-Air, GLM-4.6: shared and routed experts, half of each head rotated.

The layers after the last predict a further token, and are kept as the converter keeps them.
Only the large ones have norms on the heads.
"""

from __future__ import annotations

from dataclasses import replace

from qwq_gguf.conversion.architectures.base import (
    ATTENTION,
    MLP,
    QKV_BIAS,
    Architecture,
    TensorRule,
    experts,
)
from qwq_gguf.conversion.architectures.deepseek2 import GLM_FLASH
from qwq_gguf.conversion.architectures.qwen3 import HEAD_NORMS
from qwq_gguf.conversion.architectures.routed import (
    NEXT_TOKEN,
    ROUTER,
    SHARED,
    dense_layers,
    next_token_layers,
    shared_experts,
)
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.keys import GATING
from qwq_gguf.conversion.rope import rotary_part
from qwq_gguf.metadata import KeyValue, boolean, f32, u32

__all__ = ["GLM4MOE"]

_NORMS = (
    TensorRule("input_layernorm.weight", "attn_norm.weight", ("embedding",)),
    TensorRule("post_attention_layernorm.weight", "post_attention_norm.weight", ("embedding",)),
)


def _own_layers(config: ModelConfig) -> int:
    return config.fields.integer("num_hidden_layers", 2**12)


def _sizes(config: ModelConfig) -> dict[str, int]:
    return {
        "shared": config.expert_feed_forward * shared_experts(config),
        "twice_embedding": 2 * config.embedding,
    }


def _block(config: ModelConfig, layer: int) -> tuple[TensorRule, ...]:
    bias = (replace(rule, needed=config.attention_bias) for rule in QKV_BIAS)
    norms = HEAD_NORMS if config.fields.flag("use_qk_norm") else ()
    attention = (*_NORMS, *ATTENTION, *bias, *norms)
    if layer < dense_layers(config):
        return (*attention, *MLP)
    shared = SHARED if shared_experts(config) else ()
    following = NEXT_TOKEN if layer >= _own_layers(config) else ()
    return (*attention, *ROUTER, *shared, *experts(config.experts), *following)


def _extra_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    fields = config.fields
    return (
        u32("glm4moe.rope.dimension_count", int(config.head_dim * rotary_part(fields, 0.5))),
        u32("glm4moe.expert_feed_forward_length", config.expert_feed_forward),
        u32("glm4moe.expert_shared_count", shared_experts(config)),
        u32("glm4moe.leading_dense_block_count", dense_layers(config)),
        u32("glm4moe.expert_gating_func", GATING["sigmoid"]),
        f32(
            "glm4moe.expert_weights_scale",
            fields.number("routed_scaling_factor", 0.0, 1e6, default=1.0),
        ),
        boolean("glm4moe.expert_weights_norm", value=fields.flag("norm_topk_prob", default=True)),
        u32("glm4moe.nextn_predict_layers", config.layers - _own_layers(config)),
    )


def _with_next_token(config: ModelConfig) -> ModelConfig:
    """With the layers that predict a further token, which fine-tunes may lack."""
    first = f"model.layers.{config.layers}."
    if not any(name.startswith(first) for name in config.present):
        return config
    return replace(config, layers=config.layers + next_token_layers(config))


GLM4MOE = Architecture(
    model_class="Glm4MoeForCausalLM",
    name="glm4moe",
    block=_block,
    context=131072,
    writes_head_size=False,
    sizes=_sizes,
    adjusted=_with_next_token,
    extra_keys=_extra_keys,
    special=GLM_FLASH.special,
    splitting="glm4",
)
