"""gpt-oss: gpt-oss-20b, gpt-oss-120b.

The experts' matrices are published in MXFP4, which ggml has too: their bits only change places.
Rows for the gate and for what it gates alternate in one tensor, and so do the biases. Fine-tunes
come with the experts in BF16, and then with rows and columns the other way round.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from qwq_gguf.conversion.architectures.base import (
    ATTENTION,
    QKV_BIAS,
    Architecture,
    TensorRule,
    every_layer,
)
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.parts import MXFP4_BLOCK, View
from qwq_gguf.metadata import KeyValue, u32

__all__ = ["GPT_OSS"]

_WIDE, _INNER = "embedding", "feed_forward"
_NORMS = (
    TensorRule("input_layernorm.weight", "attn_norm.weight", (_WIDE,)),
    TensorRule("post_attention_layernorm.weight", "post_attention_norm.weight", (_WIDE,)),
)
_OTHERS = (
    TensorRule("self_attn.o_proj.bias", "attn_output.bias", (_WIDE,)),
    TensorRule("self_attn.sinks", "attn_sinks.weight", ("heads",)),
    TensorRule("mlp.router.weight", "ffn_gate_inp.weight", ("experts", _WIDE)),
    TensorRule("mlp.router.bias", "ffn_gate_inp.bias", ("experts",)),
    TensorRule("mlp.experts.down_proj_bias", "ffn_down_exps.bias", ("experts", _WIDE)),
)
_BIAS = TensorRule("mlp.experts.gate_up_proj_bias", "", ("experts", "gate_up"))
_PACKED = TensorRule(
    "mlp.experts.gate_up_proj_blocks",
    "",
    ("experts", "gate_up", "wide_blocks", "block"),
    early=True,
)
_PACKED_DOWN = TensorRule(
    "mlp.experts.down_proj_blocks",
    "ffn_down_exps.weight",
    ("experts", _WIDE, "inner_blocks", "block"),
    early=True,
)
_PLAIN = TensorRule("mlp.experts.gate_up_proj", "", ("experts", _WIDE, "gate_up"))
_PLAIN_DOWN = TensorRule(
    "mlp.experts.down_proj", "ffn_down_exps.weight", ("experts", _INNER, _WIDE)
)
_GATE_UP = (("ffn_gate_exps", 0), ("ffn_up_exps", 1))


def _sizes(config: ModelConfig) -> dict[str, int]:
    return {
        "heads": config.heads,
        "gate_up": 2 * config.feed_forward,
        "wide_blocks": config.embedding // MXFP4_BLOCK,
        "inner_blocks": config.feed_forward // MXFP4_BLOCK,
        "block": MXFP4_BLOCK // 2,
    }


def _block(config: ModelConfig) -> tuple[TensorRule, ...]:
    experts = _packed if config.fields.object("quantization_config") else _turned
    sizes = config.experts, config.embedding, config.feed_forward
    return (
        *_NORMS,
        *ATTENTION,
        *QKV_BIAS,
        *_OTHERS,
        *_biases(config.experts, config.feed_forward),
        *experts(*sizes),
    )


@lru_cache(maxsize=4)  # alike in all layers, as the others
def _biases(count: int, inner: int) -> tuple[TensorRule, ...]:
    return tuple(
        replace(
            _BIAS,
            target=f"{name}.bias",
            view=View((count, inner), (range(count),), columns=range(first, 2 * inner, 2)),
        )
        for name, first in _GATE_UP
    )


@lru_cache(maxsize=4)
def _packed(count: int, wide: int, inner: int) -> tuple[TensorRule, ...]:
    """Every second row of all experts, counted through."""
    down = View((count, wide, inner), (range(count * wide),))
    return (
        replace(_PACKED_DOWN, view=down),
        *(
            replace(
                _PACKED,
                target=f"{name}.weight",
                view=View((count, inner, wide), (range(first, 2 * inner * count, 2),)),
            )
            for name, first in _GATE_UP
        ),
    )


@lru_cache(maxsize=4)
def _turned(count: int, wide: int, inner: int) -> tuple[TensorRule, ...]:
    """Of each expert's matrix the columns, and of gate and up every second."""

    def view(rows: int, shape: tuple[int, ...], columns: range | None = None) -> View:
        runs = tuple(range(start, start + rows) for start in range(0, rows * count, rows))
        return View(shape, runs, turned=True, columns=columns)

    return (
        replace(_PLAIN_DOWN, view=view(inner, (count, wide, inner))),
        *(
            replace(
                _PLAIN,
                target=f"{name}.weight",
                view=view(wide, (count, inner, wide), range(first, 2 * inner, 2)),
            )
            for name, first in _GATE_UP
        ),
    )


def _extra_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    window = config.fields.integer("sliding_window", 2**31 - 1, default=128)
    return (
        u32("gpt-oss.attention.sliding_window", window),
        u32("gpt-oss.expert_feed_forward_length", config.feed_forward),
    )


GPT_OSS = Architecture(
    model_class="GptOssForCausalLM",
    name="gpt-oss",
    block=every_layer(_block),
    context=131072,
    head_dim=64,
    sizes=_sizes,
    extra_keys=_extra_keys,
    splitting="gpt-4o",
)
