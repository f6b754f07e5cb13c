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
)
from qwq_gguf.conversion.config import ModelConfig

__all__ = ["QWEN3"]

_HEAD_NORMS = (
    TensorRule("self_attn.q_norm.weight", "attn_q_norm.weight", ("head_dim",)),
    TensorRule("self_attn.k_norm.weight", "attn_k_norm.weight", ("head_dim",)),
)


def _block(config: ModelConfig) -> tuple[TensorRule, ...]:
    bias = tuple(replace(rule, needed=config.attention_bias) for rule in QKV_BIAS)
    return (*NORMS, *ATTENTION, *_HEAD_NORMS, *bias, *MLP)


QWEN3 = Architecture(
    model_class="Qwen3ForCausalLM", name="qwen3", block=_block, context=32768, head_dim=128
)
