"""EXAONE 4.0: norms behind attention and MLP, and on each head; windows in most layers."""

from __future__ import annotations

from qwq_gguf.conversion.architectures.base import (
    ATTENTION,
    MLP,
    Architecture,
    TensorRule,
    every_layer,
)
from qwq_gguf.conversion.architectures.llama import frequency_factors
from qwq_gguf.conversion.architectures.olmo2 import NORMS_BEHIND
from qwq_gguf.conversion.architectures.qwen3 import HEAD_NORMS
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.keys import sees_window, window_keys
from qwq_gguf.metadata import KeyValue, u32

__all__ = ["EXAONE4"]


def _block(config: ModelConfig) -> tuple[TensorRule, ...]:
    return (*ATTENTION, *HEAD_NORMS, *NORMS_BEHIND, *MLP)


def _extra_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    fields = config.fields
    keys = (u32("exaone4.vocab_size", config.vocab),)
    if fields.values.get("sliding_window", 4096) is None:
        return keys
    window = fields.integer("sliding_window", 2**31 - 1, default=4096)
    return (
        *keys,
        *window_keys("exaone4", window, sees_window(fields, config.layers, _every(config))),
    )


def _every(config: ModelConfig) -> int:
    """Which layers see everything: every fourth, or as "LLLG" says it."""
    pattern = config.fields.values.get("sliding_window_pattern")
    if isinstance(pattern, str) and len(pattern) < 64 and pattern == "L" * (len(pattern) - 1) + "G":
        return len(pattern)
    return config.fields.integer("sliding_window_pattern", 2**12, default=4)


EXAONE4 = Architecture(
    model_class="Exaone4ForCausalLM",
    name="exaone4",
    block=every_layer(_block),
    context=2048,
    extra_keys=_extra_keys,
    computed=frequency_factors,
    splitting="exaone4",
)
