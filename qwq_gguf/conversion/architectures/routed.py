"""What DeepSeek-V3 and GLM have around their experts: a router with a bias, shared experts, plain
layers before, and layers that predict a further token behind.
"""

from __future__ import annotations

from dataclasses import replace

from qwq_gguf.conversion.architectures.base import MLP, TensorRule
from qwq_gguf.conversion.config import ModelConfig

__all__ = [
    "NEXT_TOKEN",
    "ROUTER",
    "SHARED",
    "dense_layers",
    "next_token_layers",
    "shared_experts",
]

_WIDE = "embedding"
ROUTER = (
    TensorRule("mlp.gate.weight", "ffn_gate_inp.weight", ("experts", _WIDE)),
    TensorRule("mlp.gate.e_score_correction_bias", "exp_probs_b.bias", ("experts",), needed=False),
)
SHARED = tuple(
    replace(
        rule,
        source=rule.source.replace("mlp.", "mlp.shared_experts."),
        target=rule.target.replace(".weight", "_shexp.weight"),
        shape=tuple("shared" if size == "feed_forward" else size for size in rule.shape),
    )
    for rule in MLP
)
NEXT_TOKEN = (
    TensorRule("eh_proj.weight", "nextn.eh_proj.weight", (_WIDE, "twice_embedding")),
    TensorRule("embed_tokens.weight", "nextn.embed_tokens.weight", ("vocab", _WIDE), needed=False),
    TensorRule("enorm.weight", "nextn.enorm.weight", (_WIDE,)),
    TensorRule("hnorm.weight", "nextn.hnorm.weight", (_WIDE,)),
    TensorRule(
        "shared_head.head.weight", "nextn.shared_head_head.weight", ("vocab", _WIDE), needed=False
    ),
    TensorRule("shared_head.norm.weight", "nextn.shared_head_norm.weight", (_WIDE,), needed=False),
)


def dense_layers(config: ModelConfig) -> int:
    """How many of the first layers have a plain MLP."""
    return config.fields.integer("first_k_dense_replace", 2**12, least=0, default=0)


def shared_experts(config: ModelConfig) -> int:
    """How many experts see every token."""
    return config.fields.integer("n_shared_experts", 2**8, least=0, default=0)


def next_token_layers(config: ModelConfig) -> int:
    """How many layers predict a further token, by config.json."""
    return config.fields.integer("num_nextn_predict_layers", 2**6, least=0, default=0)
