"""Olmo 3 and OLMo 2: norms behind attention and MLP instead of before, and over all heads at once.

In three of four layers Olmo 3 sees a window only, and there its positions are not stretched.
"""

from __future__ import annotations

from dataclasses import replace

from qwq_gguf.conversion.architectures.base import (
    ATTENTION,
    MLP,
    Architecture,
    TensorRule,
    every_layer,
)
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.keys import sees_window, window_keys
from qwq_gguf.errors import UnsupportedError
from qwq_gguf.metadata import KeyValue

__all__ = ["NORMS_BEHIND", "OLMO2", "OLMO3"]

NORMS_BEHIND = (
    TensorRule("post_attention_layernorm.weight", "post_attention_norm.weight", ("embedding",)),
    TensorRule("post_feedforward_layernorm.weight", "post_ffw_norm.weight", ("embedding",)),
)
_NORMS = (
    TensorRule("self_attn.q_norm.weight", "attn_q_norm.weight", ("queries",)),
    TensorRule("self_attn.k_norm.weight", "attn_k_norm.weight", ("keys",)),
)


def _block(config: ModelConfig) -> tuple[TensorRule, ...]:
    if config.attention_bias:
        raise UnsupportedError(
            "biases that llama.cpp's olmo2 has not",
            path=config.fields.path,
            found="attention_bias",
            expected="none",
        )
    return (*ATTENTION, *_NORMS, *NORMS_BEHIND, *MLP)


def _windows(config: ModelConfig) -> tuple[KeyValue, ...]:
    window = config.fields.integer("sliding_window", 2**31 - 1, default=4096)
    return window_keys("olmo2", window, sees_window(config.fields, config.layers, 4))


def _with_base(config: ModelConfig) -> ModelConfig:
    """With transformers' base for the layers that see a window."""
    given = config.rope.sliding_base
    return replace(config, rope=replace(config.rope, sliding_base=given or 500_000.0))


OLMO2 = Architecture(
    model_class="Olmo2ForCausalLM",
    name="olmo2",
    block=every_layer(_block),
    context=2048,
    writes_head_size=False,
    splitting="dbrx",
)
OLMO3 = replace(OLMO2, model_class="Olmo3ForCausalLM", adjusted=_with_base, extra_keys=_windows)
