"""Gemma 4, its text model: 31B, 26B-A4B with experts beside each MLP, E2B and E4B.

Most layers see a window. Those that see all have wider heads, of which a quarter is rotated,
and in the large ones their keys are their values too. In the small ones numbers of each token go
into each layer, and the last layers take the keys and values of earlier ones.
"""

from __future__ import annotations

import struct

from qwq_gguf.conversion.architectures.base import MLP, Architecture, TensorRule
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.fields import Fields
from qwq_gguf.conversion.keys import hyperparameters, sees_window
from qwq_gguf.conversion.values import ComputedTensor
from qwq_gguf.errors import UnsupportedError
from qwq_gguf.metadata import KeyValue, ValueType, array, f32, u32

__all__ = ["GEMMA4"]

_WIDE = "embedding"
_EVERY = 6
_SEES = ("model.vision_tower.", "model.embed_vision.")
_HEARS = ("model.audio_tower.", "model.embed_audio.")


def _norm(there: str, here: str, size: str = _WIDE) -> TensorRule:
    return TensorRule(f"{there}.weight", f"{here}.weight", (size,))


_EACH = (
    _norm("input_layernorm", "attn_norm"),
    _norm("post_attention_layernorm", "post_attention_norm"),
    _norm("pre_feedforward_layernorm", "ffn_norm"),
    _norm("post_feedforward_layernorm", "post_ffw_norm"),
    TensorRule("layer_scalar", "layer_output_scale.weight", ("one",)),
)
_EXPERTS = (
    TensorRule("router.proj.weight", "ffn_gate_inp.weight", ("experts", _WIDE)),
    TensorRule("router.scale", "ffn_gate_inp.scale", (_WIDE,)),
    TensorRule("router.per_expert_scale", "ffn_down_exps.scale", ("experts",)),
    TensorRule("experts.gate_up_proj", "ffn_gate_up_exps.weight", ("experts", "gate_up", _WIDE)),
    TensorRule(
        "experts.down_proj", "ffn_down_exps.weight", ("experts", _WIDE, "expert_feed_forward")
    ),
    _norm("pre_feedforward_layernorm_2", "pre_ffw_norm_2"),
    _norm("post_feedforward_layernorm_1", "post_ffw_norm_1"),
    _norm("post_feedforward_layernorm_2", "post_ffw_norm_2"),
)
_OF_LAYER = (
    TensorRule("per_layer_input_gate.weight", "inp_gate.weight", ("per_layer", _WIDE)),
    TensorRule("per_layer_projection.weight", "proj.weight", (_WIDE, "per_layer")),
    _norm("post_per_layer_input_norm", "post_norm"),
)
_OF_ALL_LAYERS = (
    TensorRule(
        "model.embed_tokens_per_layer.weight",
        "per_layer_token_embd.weight",
        ("vocab", "all_layers"),
    ),
    TensorRule(
        "model.per_layer_model_projection.weight",
        "per_layer_model_proj.weight",
        ("all_layers", _WIDE),
        kept=True,
    ),
    _norm("model.per_layer_projection_norm", "per_layer_proj_norm", "per_layer"),
)
_OUTER = (
    TensorRule("model.embed_tokens.weight", "token_embd.weight", ("vocab", _WIDE)),
    _norm("model.norm", "output_norm"),
    TensorRule("lm_head.weight", "output.weight", ("vocab", _WIDE), needed=False),
)


def _per_layer(config: ModelConfig) -> int:
    return config.fields.integer("hidden_size_per_layer_input", 2**14, least=0, default=256)


def _sharing(config: ModelConfig) -> int:
    """How many of the last layers have no keys and values of their own."""
    return config.fields.integer("num_kv_shared_layers", config.layers - 1, least=0, default=0)


def _widened(config: ModelConfig) -> bool:
    """Whether those have an MLP of twice the width."""
    return config.fields.flag("use_double_wide_mlp")


def _sliding(config: ModelConfig) -> tuple[bool, ...]:
    """Which layers see a window; the last sees all, whatever config.json says."""
    return (*sees_window(config.fields, config.layers, _EVERY)[:-1], False)


def _of_full_layers(config: ModelConfig, key: str) -> Fields:
    """Where the numbers of the layers that see all are: newer files have an object a layer."""
    each = config.fields.object("per_layer_config")
    for layer, sliding in enumerate(_sliding(config)):
        found = each.object(str(layer)) if each is not None and not sliding else None
        if found is not None and found.values.get(key) is not None:
            return found
    return config.fields


def _full_head(config: ModelConfig) -> int:
    if config.fields.values.get("global_head_dim") is None:
        holder = _of_full_layers(config, "head_dim")
        if holder is not config.fields:
            return holder.integer("head_dim", 2**14)
    return config.fields.integer("global_head_dim", 2**14, default=512)


def _full_kv_heads(config: ModelConfig) -> int | None:
    """Key heads in the layers that see all, where these have no values of their own."""
    fields = config.fields
    if not fields.flag("attention_k_eq_v"):
        return None
    if fields.values.get("num_global_key_value_heads") is not None:
        return fields.integer("num_global_key_value_heads", config.heads)
    holder = _of_full_layers(config, "num_key_value_heads")
    return holder.integer("num_key_value_heads", config.heads) if holder is not fields else None


def _sizes(config: ModelConfig) -> dict[str, int]:
    full = _full_head(config)
    return {
        "one": 1,
        "full_head": full,
        "full_queries": config.heads * full,
        "full_keys": (_full_kv_heads(config) or config.kv_heads) * full,
        "twice_feed_forward": 2 * config.feed_forward,
        "gate_up": 2 * config.expert_feed_forward,
        "per_layer": _per_layer(config),
        "all_layers": _per_layer(config) * config.layers,
    }


def _attention(config: ModelConfig, *, full: bool, reuses: bool) -> tuple[TensorRule, ...]:
    queries, keys, head = "queries", "keys", "head_dim"
    if full:
        queries, keys, head = "full_queries", "full_keys", "full_head"
    rules = (
        TensorRule("self_attn.q_proj.weight", "attn_q.weight", (queries, _WIDE)),
        TensorRule("self_attn.o_proj.weight", "attn_output.weight", (_WIDE, queries)),
        _norm("self_attn.q_norm", "attn_q_norm", head),
        TensorRule("self_attn.k_proj.weight", "attn_k.weight", (keys, _WIDE), not reuses),
        TensorRule("self_attn.k_norm.weight", "attn_k_norm.weight", (head,), not reuses),
    )
    if full and config.fields.flag("attention_k_eq_v"):
        return rules
    values = TensorRule("self_attn.v_proj.weight", "attn_v.weight", (keys, _WIDE), not reuses)
    return (*rules, values)


def _block(config: ModelConfig, layer: int) -> tuple[TensorRule, ...]:
    reuses = layer >= config.layers - _sharing(config)
    attention = _attention(config, full=not _sliding(config)[layer], reuses=reuses)
    inner = "twice_feed_forward" if reuses and _widened(config) else "feed_forward"
    mlp = (
        TensorRule(
            rule.source,
            rule.target,
            tuple(inner if size == "feed_forward" else size for size in rule.shape),
        )
        for rule in MLP
    )
    routed = _EXPERTS if config.experts else ()
    own = _OF_LAYER if _per_layer(config) else ()
    return (*_EACH, *attention, *mlp, *routed, *own)


def _outer(config: ModelConfig) -> tuple[tuple[TensorRule, int | None], ...]:
    rules = (*_OUTER, *_OF_ALL_LAYERS) if _per_layer(config) else _OUTER
    return tuple((rule, None) for rule in rules)


def _all_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    full = _full_head(config)
    keys = {
        entry.key: entry for entry in hyperparameters("gemma4", config, head_sizes=(full, full))
    }
    wide = "gemma4.feed_forward_length"
    if _widened(config):
        own = config.layers - _sharing(config)
        widths = [config.feed_forward * (1 + (layer >= own)) for layer in range(config.layers)]
        keys[wide] = array(wide, ValueType.INT32, widths)
    heads, few = "gemma4.attention.head_count_kv", _full_kv_heads(config)
    if few is not None:
        counts = [config.kv_heads if sliding else few for sliding in _sliding(config)]
        keys[heads] = array(heads, ValueType.INT32, counts)
    return tuple(keys.values())


def _extra_keys(config: ModelConfig) -> tuple[KeyValue, ...]:
    fields = config.fields
    if fields.values.get("use_bidirectional_attention") == "all":
        raise UnsupportedError(
            "attention to what comes later, which no model that writes has",
            path=fields.path,
            found="use_bidirectional_attention = all",
        )
    limit = fields.number("final_logit_softcapping", 0.0, 1e6, default=0.0)
    window = fields.integer("sliding_window", 2**31 - 1, default=512)
    keys = [
        *([f32("gemma4.final_logit_softcapping", limit)] if limit else []),
        u32("gemma4.attention.sliding_window", window),
        u32("gemma4.attention.shared_kv_layers", _sharing(config)),
        u32("gemma4.embedding_length_per_layer_input", _per_layer(config)),
        array("gemma4.attention.sliding_window_pattern", ValueType.BOOL, _sliding(config)),
        u32("gemma4.attention.key_length_swa", config.head_dim),
        u32("gemma4.attention.value_length_swa", config.head_dim),
    ]
    if config.experts:
        keys.append(u32("gemma4.expert_feed_forward_length", config.expert_feed_forward))
    return (
        *keys,
        u32("gemma4.rope.dimension_count", _full_head(config)),
        u32("gemma4.rope.dimension_count_swa", config.head_dim),
    )


def _computed(config: ModelConfig) -> tuple[ComputedTensor, ...]:
    """What frequencies of wide heads are divided by: 1, or so much that nothing is rotated."""
    scaling = config.fields.object("rope_parameters")
    of_full = scaling and scaling.object("full_attention")
    if of_full is None or config.rope.kind != "proportional":
        raise config.fields.error("rope_parameters", "does not rotate a part of a head as Gemma 4")
    part = of_full.number("partial_rotary_factor", 0.0, 1.0, default=1.0)
    full = _full_head(config)
    rotated = int(full * part / 2)
    values = [1.0] * rotated + [1e30] * (full // 2 - rotated)
    return (
        ComputedTensor("rope_freqs.weight", (full // 2,), struct.pack(f"<{full // 2}f", *values)),
    )


def _left_out(config: ModelConfig, name: str) -> str | None:
    if name.startswith(_SEES):
        return "the vision tower"
    return "the audio tower" if name.startswith(_HEARS) else None


GEMMA4 = Architecture(
    model_class="Gemma4ForConditionalGeneration",
    also=("Gemma4ForCausalLM",),
    name="gemma4",
    block=_block,
    context=131072,
    head_dim=256,
    sizes=_sizes,
    outer=_outer,
    all_keys=_all_keys,
    extra_keys=_extra_keys,
    computed=_computed,
    left_out=_left_out,
    scalings=("proportional",),
    tied=True,
    pieces=True,
)
