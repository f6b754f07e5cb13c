"""Llama: DeepSeek-R1-Distill-Llama, Llama 3.x.

Two things set it apart. transformers rotates the first half of a head against the second,
llama.cpp's `llama` rotates neighbours, so the rows of the query and key projections are
interleaved. And Llama 3.1's stretched positions become a tensor of frequency factors.
"""

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
from qwq_gguf.conversion.rope import llama3_factors
from qwq_gguf.conversion.values import ComputedTensor
from qwq_gguf.metadata import KeyValue, u32

__all__ = ["LLAMA", "frequency_factors", "llama_keys"]

_OUTPUT_BIAS = TensorRule("self_attn.o_proj.bias", "attn_output.bias", ("embedding",))
_MLP_BIAS = (
    TensorRule("mlp.gate_proj.bias", "ffn_gate.bias", ("feed_forward",)),
    TensorRule("mlp.up_proj.bias", "ffn_up.bias", ("feed_forward",)),
    TensorRule("mlp.down_proj.bias", "ffn_down.bias", ("embedding",)),
)


def _block(config: ModelConfig) -> tuple[TensorRule, ...]:
    attention = (
        *ATTENTION,
        *(replace(rule, needed=config.attention_bias) for rule in (*QKV_BIAS, _OUTPUT_BIAS)),
    )
    mlp_bias = tuple(replace(rule, needed=config.mlp_bias) for rule in _MLP_BIAS)
    return (*NORMS, *map(_interleaved, attention), *MLP, *mlp_bias)


def _interleaved(rule: TensorRule) -> TensorRule:
    turned = rule.target.startswith(("attn_q.", "attn_k."))
    return replace(rule, interleave=turned)


def llama_keys(architecture: str, config: ModelConfig) -> tuple[KeyValue, ...]:
    """What the converter's class writes beside the usual keys."""
    return (
        u32(f"{architecture}.vocab_size", config.vocab),
        u32(f"{architecture}.rope.dimension_count", config.head_dim),
    )


def frequency_factors(config: ModelConfig) -> tuple[ComputedTensor, ...]:
    """Llama 3.1's stretched positions, where the checkpoint has them."""
    if config.rope.kind != "llama3":
        return ()
    factors = llama3_factors(config.rope, config.head_dim)
    return (ComputedTensor("rope_freqs.weight", (config.head_dim // 2,), factors),)


LLAMA = Architecture(
    model_class="LlamaForCausalLM",
    name="llama",
    block=every_layer(_block),
    context=2048,
    extra_keys=lambda config: llama_keys("llama", config),
    computed=frequency_factors,
    writes_space_prefix=True,
)
