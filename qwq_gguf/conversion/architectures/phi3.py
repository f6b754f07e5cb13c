"""Phi-4-reasoning, Phi-4-mini-reasoning: queries, keys and values in one matrix, gate and up in
another.

The converter's class writes its keys in an order of its own. LongRoPE (arXiv 2402.13753) has a
factor for each frequency, one list for long texts and one for short ones.
"""

from __future__ import annotations

import math
import struct

from qwq_gguf.conversion.architectures.base import (
    NORMS,
    Architecture,
    TensorRule,
    every_layer,
)
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.fields import Fields
from qwq_gguf.conversion.rope import rotary_part
from qwq_gguf.conversion.values import ComputedTensor
from qwq_gguf.errors import UnsupportedError
from qwq_gguf.metadata import KeyValue, f32, u32

__all__ = ["PHI3"]

_WIDE = "embedding"
_TENSORS = (
    *NORMS,
    TensorRule("self_attn.qkv_proj.weight", "attn_qkv.weight", ("qkv", _WIDE)),
    TensorRule("self_attn.o_proj.weight", "attn_output.weight", (_WIDE, "queries")),
    TensorRule("mlp.gate_up_proj.weight", "ffn_up.weight", ("gate_up", _WIDE)),
    TensorRule("mlp.down_proj.weight", "ffn_down.weight", (_WIDE, "feed_forward")),
)
_LONG = ("longrope", "su")


def _sizes(config: ModelConfig) -> dict[str, int]:
    return {
        "qkv": (config.heads + 2 * config.kv_heads) * config.head_dim,
        "gate_up": 2 * config.feed_forward,
    }


def _scaling(config: ModelConfig) -> Fields | None:
    return config.fields.object("rope_parameters") or config.fields.object("rope_scaling")


def _original(config: ModelConfig) -> int:
    scaling = _scaling(config)
    key = "original_max_position_embeddings"
    holder = scaling if scaling and scaling.values.get(key) is not None else config.fields
    return holder.integer(key, 2**31 - 1, least=2, default=4096)


def _rotated(config: ModelConfig) -> int:
    return int(rotary_part(config.fields, 1.0) * config.embedding) // config.heads


def _all_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    if config.rope.kind not in ("default", *_LONG):
        raise UnsupportedError(
            "this kind of rope scaling is not supported",
            path=config.fields.path,
            found=config.rope.kind,
            expected=f"default, {', '.join(_LONG)}",
        )
    return (
        u32("phi3.context_length", config.context),
        u32("phi3.rope.scaling.original_context_length", _original(config)),
        u32("phi3.embedding_length", config.embedding),
        u32("phi3.feed_forward_length", config.feed_forward),
        u32("phi3.block_count", config.layers),
        u32("phi3.attention.head_count", config.heads),
        u32("phi3.attention.head_count_kv", config.kv_heads),
        f32("phi3.attention.layer_norm_rms_epsilon", config.rms_epsilon),
        u32("phi3.rope.dimension_count", _rotated(config)),
        f32("phi3.rope.freq_base", config.rope.base),
    )


def _extra_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    # No window is 0, by which llama.cpp tells Phi-4 from Phi-3.
    window = config.fields.integer("sliding_window", 2**31 - 1, least=0, default=0)
    return (u32("phi3.attention.sliding_window", window),)


def _early_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    if config.rope.kind not in _LONG:
        return ()
    original = _original(config)
    scale = config.context / original
    attention = math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 else 1.0
    return (f32("phi3.rope.scaling.attn_factor", attention),)


def _factors(config: ModelConfig) -> tuple[ComputedTensor, ...]:
    scaling = _scaling(config)
    if config.rope.kind not in _LONG or scaling is None:
        return ()
    count = _rotated(config) // 2
    return tuple(
        ComputedTensor(f"rope_factors_{length}.weight", (count,), _list(scaling, length, count))
        for length in ("long", "short")
    )


def _list(scaling: Fields, length: str, count: int) -> bytes:
    key = f"{length}_factor"
    values = scaling.values.get(key)
    if (
        not isinstance(values, list)
        or len(values) != count
        or not all(type(each) in (int, float) and 0 < each < 1e6 for each in values)
    ):
        raise scaling.error(key, "is absurd", f"{count} numbers, one for each frequency")
    return struct.pack(f"<{count}f", *values)


PHI3 = Architecture(
    model_class="Phi3ForCausalLM",
    name="phi3",
    block=every_layer(lambda config: _TENSORS),
    context=4096,
    sizes=_sizes,
    all_keys=_all_keys,
    early_keys=_early_keys,
    extra_keys=_extra_keys,
    computed=_factors,
    scalings=_LONG,
    splitting="dbrx",
)
