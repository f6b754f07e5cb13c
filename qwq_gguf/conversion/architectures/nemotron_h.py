"""Nemotron-H, Nemotron Nano 2 and Nemotron 3 Nano: layers of Mamba 2 (arXiv 2405.21060), some of
attention without positions, and MLPs or experts, each a layer of its own and none of them gated.

A letter a layer says in config.json which is which. Two architectures of llama.cpp come from one
class here: with experts it is nemotron_h_moe. Its layer that predicts a further token is one
block, which the checkpoint has as two (`mtp.layers.0` and `mtp.layers.1`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from qwq_gguf.conversion.architectures.base import Architecture, TensorRule
from qwq_gguf.conversion.architectures.mamba2 import MambaHeads, mamba_layer
from qwq_gguf.conversion.architectures.routed import NEXT_TOKEN, next_token_layers, shared_experts
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.keys import routing_keys
from qwq_gguf.conversion.rope import rope_keys
from qwq_gguf.metadata import KeyValue, ValueType, array, boolean, f32, u32

__all__ = ["NEMOTRON_H", "NEMOTRON_H_MOE"]

_WIDE = "embedding"
_MAMBA, _ATTENTION, _MLP, _EXPERTS = "M*-E"
_LETTERS = {
    "mamba": _MAMBA,
    "linear_attention": _MAMBA,
    "attention": _ATTENTION,
    "full_attention": _ATTENTION,
    "mlp": _MLP,
    "moe": _EXPERTS,
}
_ENDLESS = 2**20  # what the converter writes: nothing in these models counts positions
_BODY, _RENAMED = "backbone.", "model."
_FURTHER = ("mtp.layers.0.", "mtp.layers.1.")
_ROUTER = "ffn_gate_inp.weight"
_NORM = TensorRule("norm.weight", "attn_norm.weight", (_WIDE,))
_FULL = (
    TensorRule("mixer.q_proj.weight", "attn_q.weight", ("queries", _WIDE), interleave=True),
    TensorRule("mixer.k_proj.weight", "attn_k.weight", ("keys", _WIDE), interleave=True),
    TensorRule("mixer.v_proj.weight", "attn_v.weight", ("keys", _WIDE)),
    TensorRule("mixer.o_proj.weight", "attn_output.weight", (_WIDE, "queries")),
)
_PLAIN = (
    TensorRule("mixer.up_proj.weight", "ffn_up.weight", ("feed_forward", _WIDE)),
    TensorRule("mixer.down_proj.weight", "ffn_down.weight", (_WIDE, "feed_forward")),
    TensorRule("mixer.up_proj.bias", "ffn_up.bias", ("feed_forward",), needed=False),
    TensorRule("mixer.down_proj.bias", "ffn_down.bias", (_WIDE,), needed=False),
)
_SHARED = (
    TensorRule("mixer.shared_experts.up_proj.weight", "ffn_up_shexp.weight", ("shared", _WIDE)),
    TensorRule("mixer.shared_experts.down_proj.weight", "ffn_down_shexp.weight", (_WIDE, "shared")),
    TensorRule("mixer.gate.weight", _ROUTER, ("experts", _WIDE)),
    TensorRule("mixer.gate.e_score_correction_bias", "exp_probs_b.bias", ("experts",)),
)
_LATENT = (
    TensorRule("mixer.fc1_latent_proj.weight", "ffn_latent_down.weight", ("latent", _WIDE)),
    TensorRule("mixer.fc2_latent_proj.weight", "ffn_latent_up.weight", (_WIDE, "latent")),
)
_AFTER = (
    *(rule for rule in NEXT_TOKEN if rule.target.startswith(("nextn.e", "nextn.h"))),
    _NORM,
    *_FULL,
)


@lru_cache(maxsize=4)
def _routed(count: int, latent: bool) -> tuple[TensorRule, ...]:
    """Experts without gates, in the converter's order."""
    wide, inner = "latent", "expert_feed_forward"
    rules = tuple(
        TensorRule(f"mixer.experts.{{}}.{there}.weight", f"{here}.weight", shape, stacked=count)
        for there, here, shape in (
            ("down_proj", "ffn_down_exps", (wide, inner)),
            ("up_proj", "ffn_up_exps", (inner, wide)),
        )
    )
    return (*_SHARED, *(_LATENT if latent else ()), *rules)


def _letters(values: Mapping[str, Any]) -> str:
    """A letter a layer, as `hybrid_override_pattern` has them; empty for none that are known."""
    pattern = values.get("hybrid_override_pattern") or values.get("layers_block_type")
    if isinstance(pattern, list):
        pattern = "".join(
            _LETTERS.get(kind, "?") if isinstance(kind, str) else "?" for kind in pattern
        )
    known = isinstance(pattern, str) and not set(pattern) - set(_LETTERS.values())
    return str(pattern) if known else ""


def _pattern(config: ModelConfig) -> str:
    """The letters of the model's own layers, checked."""
    fields = config.fields
    key = "hybrid_override_pattern"
    if not fields.values.get(key):
        key = "layers_block_type"
    found = _letters(fields.values)
    if len(found) != config.layers or _MAMBA not in found:
        raise fields.error(key, f"does not say what {config.layers} layers are", "M, *, - and E")
    if _MLP in found and _EXPERTS in found:
        raise fields.error(key, "has plain MLPs beside experts", "one of them")
    return found


def _latent(config: ModelConfig) -> int:
    return config.fields.integer("moe_latent_size", 2**20, default=0)


def _shared(config: ModelConfig) -> int:
    return config.fields.integer("moe_shared_expert_intermediate_size", 2**22)


def _sizes(config: ModelConfig) -> dict[str, int]:
    heads = MambaHeads.of(config)
    return {
        "one": 1,
        "heads": heads.heads,
        "inner": heads.inner,
        "channels": heads.channels,
        "kernel": heads.kernel,
        "all": heads.inner + heads.channels + heads.heads,
        "twice_embedding": 2 * config.embedding,
        "latent": _latent(config) or config.embedding,
        "shared": _shared(config) if config.experts else 0,
    }


def _own_layers(config: ModelConfig) -> int:
    return config.layers - _further(config)


def _further(config: ModelConfig) -> int:
    """How many blocks predict a further token: the one that llama.cpp knows, or none."""
    there = any(name.startswith(_FURTHER) for name in config.present)
    return int(bool(config.experts) and there and next_token_layers(config) == 1)


def _adjusted(config: ModelConfig) -> ModelConfig:
    """With the head size by its other name, without experts that no layer has, and with the
    block that predicts a further token.
    """
    fields = config.fields
    if fields.values.get("head_dim") is None:
        size = fields.integer("attention_head_dim", 2**14, default=config.head_dim)
        config = replace(config, head_dim=size)
    if _EXPERTS not in _pattern(config):
        config = replace(config, experts=0, experts_used=0, expert_feed_forward=0)
    return replace(config, layers=config.layers + _further(config))


def _outer(config: ModelConfig) -> tuple[tuple[TensorRule, int | None], ...]:
    renamed = f"{_RENAMED}embeddings.weight" in config.present
    body = _RENAMED if renamed else _BODY
    own = _own_layers(config)
    rules: list[tuple[TensorRule, int | None]] = [
        (TensorRule(f"{body}embeddings.weight", "token_embd.weight", ("vocab", _WIDE)), None),
        (TensorRule(f"{body}norm_f.weight", "output_norm.weight", (_WIDE,)), None),
        (TensorRule("lm_head.weight", "output.weight", ("vocab", _WIDE), not config.tied), None),
    ]

    def add(prefix: str, layer: int, block: tuple[TensorRule, ...]) -> None:
        for rule in block:
            source, target = prefix + rule.source, f"blk.{layer}.{rule.target}"
            rules.append((replace(rule, source=source, target=target), layer))

    experts = _routed(config.experts, bool(_latent(config)))
    blocks = {
        _MAMBA: mamba_layer(MambaHeads.of(config)),
        _ATTENTION: _FULL,
        _MLP: _PLAIN,
        _EXPERTS: experts,
    }
    letters = _letters(config.fields.values)
    for layer in range(own):
        add(f"{body}layers.{layer}.", layer, (_NORM, *blocks[letters[layer]]))
    for layer in range(own, config.layers):
        add(_FURTHER[0], layer, _AFTER)
        end = TensorRule("final_layernorm.weight", "nextn.shared_head_norm.weight", (_WIDE,))
        norm = replace(_NORM, target="post_attention_norm.weight")
        # The converter knows a router by the number in its name, which is another here.
        routed = (replace(rule, kept=rule.target == _ROUTER) for rule in experts)
        add(_FURTHER[1], layer, (norm, *routed, end))
    return tuple(rules)


def _lengths(config: ModelConfig) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of each layer its key heads and the width of its MLP or experts; 0 for none."""
    letters = _letters(config.fields.values) + "+" * _further(config)  # which has both
    width = config.expert_feed_forward or config.feed_forward
    return (
        tuple(config.kv_heads * (letter in "*+") for letter in letters),
        tuple(width * (letter in "-E+") for letter in letters),
    )


def _keys(config: ModelConfig, name: str) -> tuple[KeyValue, ...]:
    fields = config.fields
    key_heads, widths = _lengths(config)
    keys = [
        u32(f"{name}.block_count", config.layers),
        u32(f"{name}.context_length", _ENDLESS),
        u32(f"{name}.embedding_length", config.embedding),
    ]
    if config.feed_forward:
        keys.append(array(f"{name}.feed_forward_length", ValueType.INT32, widths))
    keys += [
        u32(f"{name}.attention.head_count", config.heads),
        array(f"{name}.attention.head_count_kv", ValueType.INT32, key_heads),
    ]
    if any(fields.values.get(key) is not None for key in ("rope_theta", "rope_parameters")):
        keys += rope_keys(name, config.rope)
    for key in ("rms_norm_eps", "norm_eps"):
        if fields.values.get(key) is not None:
            epsilon = fields.number(key, 1e-30, 1.0)
            keys.append(f32(f"{name}.attention.layer_norm_rms_epsilon", epsilon))
            break
    epsilon = fields.number("layer_norm_epsilon", 1e-30, 1.0, default=1e-5)
    keys.append(f32(f"{name}.attention.layer_norm_epsilon", epsilon))
    if config.experts:
        keys.append(u32(f"{name}.expert_count", config.experts))
        keys.append(u32(f"{name}.expert_used_count", config.experts_used))
        keys += routing_keys(name, fields)
    return tuple(keys)


def _extra_keys(config: ModelConfig, name: str) -> tuple[KeyValue, ...]:
    fields, heads = config.fields, MambaHeads.of(config)
    rotated = fields.integer("attn_rotary_emb", 2**14, default=config.embedding // config.heads)
    keys = [
        u32(f"{name}.vocab_size", config.vocab),
        u32(f"{name}.rope.dimension_count", rotated),
        u32(f"{name}.ssm.conv_kernel", heads.kernel),
        u32(f"{name}.ssm.state_size", heads.state),
        u32(f"{name}.ssm.group_count", heads.groups),
        u32(f"{name}.ssm.inner_size", heads.inner),
        u32(f"{name}.ssm.time_step_rank", heads.heads),
        boolean(f"{name}.rope.scaling.finetuned", value=False),
        u32(f"{name}.attention.key_length", config.head_dim),
        u32(f"{name}.attention.value_length", config.head_dim),
    ]
    if not config.experts:
        return tuple(keys)
    if not config.feed_forward:
        keys.append(array(f"{name}.feed_forward_length", ValueType.INT32, _lengths(config)[1]))
    scale = fields.number("routed_scaling_factor", 0.0, 1e6, default=1.0)
    keys += [
        u32(f"{name}.expert_feed_forward_length", config.expert_feed_forward),
        u32(f"{name}.expert_shared_feed_forward_length", _shared(config)),
        u32(f"{name}.expert_shared_count", shared_experts(config)),
        boolean(f"{name}.expert_weights_norm", value=fields.flag("norm_topk_prob", default=True)),
        f32(f"{name}.expert_weights_scale", scale),
    ]
    if latent := _latent(config):
        keys.append(u32(f"{name}.moe_latent_size", latent))
    if further := _further(config):
        keys.append(u32(f"{name}.nextn_predict_layers", further))
    return tuple(keys)


def _left_out(config: ModelConfig, name: str) -> str | None:
    ours = _FURTHER if _further(config) else ()
    further = name.startswith("mtp.") and not name.startswith(ours)
    return "what predicts further tokens (MTP)" if further else None


NEMOTRON_H = Architecture(
    model_class="NemotronHForCausalLM",
    name="nemotron_h",
    means=lambda values: _EXPERTS not in _letters(values),
    block=lambda config, layer: (),
    context=4096,
    head_dim=128,
    sizes=_sizes,
    outer=_outer,
    adjusted=_adjusted,
    all_keys=lambda config: _keys(config, "nemotron_h"),
    extra_keys=lambda config: _extra_keys(config, "nemotron_h"),
    left_out=_left_out,
    splitting="tekken",
)
NEMOTRON_H_MOE = replace(
    NEMOTRON_H,
    name="nemotron_h_moe",
    means=lambda values: _EXPERTS in _letters(values),
    all_keys=lambda config: _keys(config, "nemotron_h_moe"),
    extra_keys=lambda config: _extra_keys(config, "nemotron_h_moe"),
)
