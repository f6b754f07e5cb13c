"""The hyperparameter keys that every decoder has."""

from __future__ import annotations

from collections.abc import Sequence

from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.fields import Fields
from qwq_gguf.conversion.rope import rope_keys
from qwq_gguf.metadata import KeyValue, ValueType, array, f32, u32

__all__ = ["GATING", "hyperparameters", "routing_keys", "sees_window", "window_keys"]


GATING = {"softmax": 1, "sigmoid": 2}  # enum llama_expert_gating_func_type of llama-hparams.h


def hyperparameters(
    architecture: str, config: ModelConfig, *, head_sizes: tuple[int, int] | None
) -> list[KeyValue]:
    """`<architecture>.*` in the converter's order; `head_sizes` are those of key and value."""
    keys = [
        u32(f"{architecture}.block_count", config.layers),
        u32(f"{architecture}.context_length", config.context),
        u32(f"{architecture}.embedding_length", config.embedding),
    ]
    if config.feed_forward:
        keys.append(u32(f"{architecture}.feed_forward_length", config.feed_forward))
    keys += [
        u32(f"{architecture}.attention.head_count", config.heads),
        u32(f"{architecture}.attention.head_count_kv", config.kv_heads),
        *rope_keys(architecture, config.rope),
        f32(f"{architecture}.attention.layer_norm_rms_epsilon", config.rms_epsilon),
    ]
    if config.experts:
        keys.append(u32(f"{architecture}.expert_count", config.experts))
    if config.experts_used:
        keys.append(u32(f"{architecture}.expert_used_count", config.experts_used))
    keys += routing_keys(architecture, config.fields)
    if head_sizes is not None:
        keys.append(u32(f"{architecture}.attention.key_length", head_sizes[0]))
        keys.append(u32(f"{architecture}.attention.value_length", head_sizes[1]))
    return keys


def routing_keys(architecture: str, fields: Fields) -> list[KeyValue]:
    """How a token's experts are chosen, as far as config.json says it."""
    keys = [
        u32(f"{architecture}.{key}", fields.integer(name, 2**12))
        for key, name in (
            ("expert_group_count", "n_group"),
            ("expert_group_used_count", "topk_group"),
        )
        if fields.values.get(name) is not None
    ]
    function = fields.values.get("scoring_func")
    if function is None:
        return keys
    if not isinstance(function, str) or function not in GATING:
        raise fields.error("scoring_func", "is not known", " or ".join(GATING))
    return [*keys, u32(f"{architecture}.expert_gating_func", GATING[function])]


def sees_window(fields: Fields, layers: int, every: int) -> tuple[bool, ...]:
    """Which layers see a window only, by `layer_types`, else all but every so many."""
    kinds = fields.values.get("layer_types")
    if kinds is None:
        return tuple((layer + 1) % every != 0 for layer in range(layers))
    known = {"sliding_attention", "full_attention"}
    good = isinstance(kinds, list) and len(kinds) == layers
    if not good or any(not isinstance(kind, str) or kind not in known for kind in kinds):
        raise fields.error("layer_types", f"is no list of {layers}", " or ".join(sorted(known)))
    return tuple(kind == "sliding_attention" for kind in kinds)


def window_keys(architecture: str, window: int, sliding: Sequence[bool]) -> tuple[KeyValue, ...]:
    """How far layers see, and which of them see no further."""
    return (
        u32(f"{architecture}.attention.sliding_window", window),
        array(f"{architecture}.attention.sliding_window_pattern", ValueType.BOOL, sliding),
    )
