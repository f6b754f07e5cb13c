"""Qwen3, dense: a norm on each head's queries and keys instead of Qwen2's biases."""

from __future__ import annotations

from dataclasses import replace

from qwq_gguf.conversion.architectures.base import (
    ATTENTION,
    MLP,
    NORMS,
    QKV_BIAS,
    Architecture,
    TensorRule,
    every_layer,
)
from qwq_gguf.conversion.config import ModelConfig

__all__ = ["HEAD_NORMS", "QWEN3", "qkv_bias"]

HEAD_NORMS = (
    TensorRule("self_attn.q_norm.weight", "attn_q_norm.weight", ("head_dim",)),
    TensorRule("self_attn.k_norm.weight", "attn_k_norm.weight", ("head_dim",)),
)


def qkv_bias(config: ModelConfig) -> tuple[TensorRule, ...]:
    """The biases, which only some fine-tunes have."""
    return tuple(replace(rule, needed=config.attention_bias) for rule in QKV_BIAS)


def _block(config: ModelConfig) -> tuple[TensorRule, ...]:
    return (*NORMS, *ATTENTION, *HEAD_NORMS, *qkv_bias(config), *MLP)


QWEN3 = Architecture(
    model_class="Qwen3ForCausalLM",
    name="qwen3",
    block=every_layer(_block),
    context=32768,
    head_dim=128,
)
