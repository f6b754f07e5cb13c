"""The hyperparameter keys that every decoder has."""

from __future__ import annotations

from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.rope import rope_keys
from qwq_gguf.metadata import KeyValue, f32, u32

__all__ = ["hyperparameters"]


def hyperparameters(architecture: str, config: ModelConfig, *, head_size: bool) -> list[KeyValue]:
    """`<architecture>.*` in the converter's order; `head_size` adds key and value length."""
    keys = [
        u32(f"{architecture}.block_count", config.layers),
        u32(f"{architecture}.context_length", config.context),
        u32(f"{architecture}.embedding_length", config.embedding),
        u32(f"{architecture}.feed_forward_length", config.feed_forward),
        u32(f"{architecture}.attention.head_count", config.heads),
        u32(f"{architecture}.attention.head_count_kv", config.kv_heads),
        *rope_keys(architecture, config.rope),
        f32(f"{architecture}.attention.layer_norm_rms_epsilon", config.rms_epsilon),
    ]
    if config.experts:
        keys.append(u32(f"{architecture}.expert_count", config.experts))
    if config.experts_used:
        keys.append(u32(f"{architecture}.expert_used_count", config.experts_used))
    if head_size:
        keys.append(u32(f"{architecture}.attention.key_length", config.head_dim))
        keys.append(u32(f"{architecture}.attention.value_length", config.head_dim))
    return keys
