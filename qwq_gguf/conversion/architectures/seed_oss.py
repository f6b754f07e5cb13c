"""Seed-OSS: Qwen2's tensors, with the second norm under another name."""

from __future__ import annotations

from dataclasses import replace

from qwq_gguf.conversion.architectures.base import (
    ATTENTION,
    MLP,
    QKV_BIAS,
    Architecture,
    TensorRule,
    every_layer,
)
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.errors import UnsupportedError

__all__ = ["SEED_OSS"]

_NORMS = (
    TensorRule("input_layernorm.weight", "attn_norm.weight", ("embedding",)),
    TensorRule("post_attention_layernorm.weight", "post_attention_norm.weight", ("embedding",)),
)


def _block(config: ModelConfig) -> tuple[TensorRule, ...]:
    fields = config.fields
    if fields.flag("attention_out_bias") or config.mlp_bias:
        raise UnsupportedError(
            "biases that llama.cpp's seed_oss has not",
            path=fields.path,
            found="attention_out_bias or mlp_bias",
            expected="biases on queries, keys and values",
        )
    bias = (replace(rule, needed=fields.flag("attention_bias", default=True)) for rule in QKV_BIAS)
    return (*_NORMS, *ATTENTION, *bias, *MLP)


SEED_OSS = Architecture(
    model_class="SeedOssForCausalLM",
    name="seed_oss",
    block=every_layer(_block),
    context=524288,
    head_dim=128,
    splitting="seed-coder",
)
