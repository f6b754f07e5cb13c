"""Qwen3 with experts: Qwen3-30B-A3B, Qwen3-235B-A22B, Qwen3-Coder.

Attention is that of Qwen3. Each layer has a router and experts, none of them shared;
checkpoints with a plain MLP in some layers can be described, but llama.cpp has no such model.
"""

from __future__ import annotations

from qwq_gguf.conversion.architectures.base import (
    ATTENTION,
    NORMS,
    Architecture,
    TensorRule,
    every_layer,
    experts,
)
from qwq_gguf.conversion.architectures.qwen3 import HEAD_NORMS, qkv_bias
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.errors import UnsupportedError
from qwq_gguf.metadata import KeyValue, u32

__all__ = ["QWEN3MOE"]

_ROUTER = TensorRule("mlp.gate.weight", "ffn_gate_inp.weight", ("experts", "embedding"))


def _block(config: ModelConfig) -> tuple[TensorRule, ...]:
    return (*NORMS, *ATTENTION, *HEAD_NORMS, *qkv_bias(config), _ROUTER, *experts(config.experts))


def _extra_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    fields = config.fields
    plain = fields.values.get("mlp_only_layers") or []
    if plain or fields.integer("decoder_sparse_step", 2**12, default=1) != 1:
        raise UnsupportedError(
            "layers without experts, which llama.cpp's qwen3moe has not",
            path=fields.path,
            found=f"mlp_only_layers = {plain}"[:80],
            expected="experts in every layer",
        )
    return (u32("qwen3moe.expert_feed_forward_length", config.expert_feed_forward),)


QWEN3MOE = Architecture(
    model_class="Qwen3MoeForCausalLM",
    name="qwen3moe",
    block=every_layer(_block),
    context=32768,
    extra_keys=_extra_keys,
)
