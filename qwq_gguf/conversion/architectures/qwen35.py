"""The text model of Qwen3.5, 3.6 and 3.8, dense and with experts, and Qwen3-Next.

Three layers of four have linear attention (gated delta nets, arXiv 2412.06464). llama.cpp's
tensors differ from the checkpoint's in four ways. Norms are saved as what is added to one, the
decay as a logarithm. Where value heads are more than key heads, those of one key head follow each
other here and lie one turn of all key heads apart there. Qwen3-Next has queries, keys, values and
gates of a key head together. And the layer that predicts a further token (`mtp.`) is one more
block. The vision tower is left out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from qwq_gguf.conversion.architectures.base import (
    MLP,
    Architecture,
    TensorRule,
    experts,
    outer_tensors,
)
from qwq_gguf.conversion.architectures.delta_net import LinearHeads, grouped_linear, turned_linear
from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.parts import View
from qwq_gguf.metadata import KeyValue, ValueType, array, u32

__all__ = ["QWEN35", "QWEN35MOE", "QWEN3NEXT"]

_WIDE = "embedding"
_MTP = re.compile(r"mtp\.layers\.(\d{1,3})\.")
_SECTIONS = (11, 11, 10, 0)
_KINDS = ("linear_attention", "full_attention")


def _norm(there: str, here: str, size: str = _WIDE) -> TensorRule:
    return TensorRule(f"{there}.weight", f"{here}.weight", (size,), change="plus one")


_NORMS = (
    _norm("input_layernorm", "attn_norm"),
    _norm("post_attention_layernorm", "post_attention_norm"),
)
_FULL = (
    TensorRule("self_attn.q_proj.weight", "attn_q.weight", ("gated_queries", _WIDE)),
    TensorRule("self_attn.k_proj.weight", "attn_k.weight", ("keys", _WIDE)),
    TensorRule("self_attn.v_proj.weight", "attn_v.weight", ("keys", _WIDE)),
    TensorRule("self_attn.o_proj.weight", "attn_output.weight", (_WIDE, "queries")),
    _norm("self_attn.q_norm", "attn_q_norm", "head_dim"),
    _norm("self_attn.k_norm", "attn_k_norm", "head_dim"),
)
_SHARED = (
    *(
        replace(
            rule,
            source=rule.source.replace("mlp.", "mlp.shared_expert."),
            target=rule.target.replace(".weight", "_shexp.weight"),
            shape=tuple("shared" if size == "feed_forward" else size for size in rule.shape),
        )
        for rule in MLP
    ),
    TensorRule("mlp.shared_expert_gate.weight", "ffn_gate_inp_shexp.weight", ("one", _WIDE)),
)
_ROUTER = TensorRule("mlp.gate.weight", "ffn_gate_inp.weight", ("experts", _WIDE))


def _sizes(config: ModelConfig) -> dict[str, int]:
    heads = LinearHeads.of(config)
    values = heads.values * heads.value
    return {
        "one": 1,
        "gated_queries": 2 * config.heads * config.head_dim,
        "twice_embedding": 2 * config.embedding,
        "gate_up": 2 * config.expert_feed_forward,
        "shared": _shared(config),
        "value_heads": heads.values,
        "value_head": heads.value,
        "values": values,
        "channels": 2 * heads.keys * heads.key + values,
        "all": 2 * heads.keys * heads.key + 2 * values,
        "kernel": heads.kernel,
        "scalars": 2 * heads.values,
    }


def _shared(config: ModelConfig) -> int:
    return config.fields.integer("shared_expert_intermediate_size", 2**22, default=0)


def _mlp(config: ModelConfig, prefix: str) -> tuple[TensorRule, ...]:
    if not config.experts:
        return MLP
    shared = _SHARED if _shared(config) else ()
    if f"{prefix}mlp.experts.gate_up_proj" not in config.present:
        return (_ROUTER, *shared, *experts(config.experts))
    fused = _fused(config.experts, config.embedding, config.expert_feed_forward)
    return (_ROUTER, *shared, *fused)


@lru_cache(maxsize=4)  # alike in all layers
def _fused(count: int, wide: int, inner: int) -> tuple[TensorRule, ...]:
    """All experts in two tensors: of each the gate's rows come first, then those it gates."""
    both = TensorRule("mlp.experts.gate_up_proj", "", ("experts", "gate_up", _WIDE))

    def half(first: int) -> View:
        starts = range(first, 2 * inner * count, 2 * inner)
        return View((count, inner, wide), tuple(range(start, start + inner) for start in starts))

    return (
        TensorRule(
            "mlp.experts.down_proj",
            "ffn_down_exps.weight",
            ("experts", _WIDE, "expert_feed_forward"),
        ),
        replace(both, target="ffn_gate_exps.weight", view=half(0)),
        replace(both, target="ffn_up_exps.weight", view=half(inner)),
    )


def _own_layers(config: ModelConfig) -> int:
    return config.fields.integer("num_hidden_layers", 2**12)


def _kinds(config: ModelConfig) -> tuple[str, ...]:
    """Which attention each layer has."""
    fields, own = config.fields, _own_layers(config)
    kinds = fields.values.get("layer_types")
    if kinds is None:
        every = fields.integer("full_attention_interval", 2**12, default=4)
        return tuple(_KINDS[(layer + 1) % every == 0] for layer in range(own))
    good = isinstance(kinds, list) and len(kinds) == own
    if not good or not all(kind in _KINDS for kind in kinds):
        raise fields.error("layer_types", f"is no list of {own}", " or ".join(_KINDS))
    return tuple(kinds)


def _block(config: ModelConfig, layer: int) -> tuple[TensorRule, ...]:
    if layer >= _own_layers(config):  # as `outer` has it
        return ()
    grouped = f"model.layers.{layer}.linear_attn.in_proj_qkvz.weight" in config.present
    if _kinds(config)[layer] == "full_attention":
        attention: tuple[TensorRule, ...] = _FULL
    else:
        linear = grouped_linear if grouped else turned_linear
        attention = linear(LinearHeads.of(config), config.embedding)
    return (*_NORMS, *attention, *_mlp(config, f"model.layers.{layer}."))


def _outer(config: ModelConfig) -> tuple[tuple[TensorRule, int | None], ...]:
    """What is outside the blocks, and the blocks of `mtp.`."""
    own = _own_layers(config)
    found: list[tuple[TensorRule, int | None]] = [
        (replace(rule, change="plus one") if "norm" in rule.target else rule, None)
        for rule in outer_tensors(config)
    ]
    if config.layers > own:
        found += [
            (replace(rule, source=f"mtp.{rule.source}", target=f"blk.{own}.{rule.target}"), own)
            for rule in (
                TensorRule("fc.weight", "nextn.eh_proj.weight", (_WIDE, "twice_embedding")),
                _norm("pre_fc_norm_embedding", "nextn.enorm"),
                _norm("pre_fc_norm_hidden", "nextn.hnorm"),
                _norm("norm", "nextn.shared_head_norm"),
            )
        ]
    for layer in range(own, config.layers):
        prefix = f"mtp.layers.{layer - own}."
        found += [
            (replace(rule, source=prefix + rule.source, target=f"blk.{layer}.{rule.target}"), layer)
            for rule in (*_NORMS, *_FULL, *_mlp(config, prefix))
        ]
    return tuple(found)


def _with_next_token(config: ModelConfig) -> ModelConfig:
    """With the layers of `mtp.` that are there."""
    numbers = [int(match[1]) for match in map(_MTP.match, config.present) if match]
    return replace(config, layers=config.layers + (max(numbers) + 1 if numbers else 0))


def _extra_keys(config: ModelConfig, name: str) -> tuple[KeyValue, ...]:
    heads, fields = LinearHeads.of(config), config.fields
    own = _own_layers(config)
    keys: list[KeyValue] = []
    if config.expert_feed_forward:
        keys.append(u32(f"{name}.expert_feed_forward_length", config.expert_feed_forward))
    if shared := _shared(config):
        keys.append(u32(f"{name}.expert_shared_feed_forward_length", shared))
    if config.layers > own:
        keys.append(u32(f"{name}.nextn_predict_layers", config.layers - own))
    keys += [
        u32(f"{name}.ssm.conv_kernel", heads.kernel),
        u32(f"{name}.ssm.state_size", heads.key),
        u32(f"{name}.ssm.group_count", heads.keys),
        u32(f"{name}.ssm.time_step_rank", heads.values),
        u32(f"{name}.ssm.inner_size", heads.value * heads.values),
    ]
    recurrent = [kind == "linear_attention" for kind in _kinds(config)]
    recurrent += [False] * (config.layers - own)
    interval = fields.integer("full_attention_interval", 2**12, default=4)
    rope = fields.object("rope_parameters") or fields.object("rope_scaling") or fields
    holder = rope if rope.values.get("partial_rotary_factor") is not None else fields
    part = holder.number("partial_rotary_factor", 0.0, 1.0, default=0.25)
    keys += [
        array(f"{name}.attention.recurrent_layers", ValueType.BOOL, recurrent),
        u32(f"{name}.full_attention_interval", interval),
        u32(f"{name}.rope.dimension_count", int(config.head_dim * part)),
    ]
    if name != "qwen3next" and config.rope.sections is None:
        keys.append(array(f"{name}.rope.dimension_sections", ValueType.INT32, _SECTIONS))
    return tuple(keys)


def _left_out(config: ModelConfig, name: str) -> str | None:
    return "the vision tower" if name.startswith(("model.visual.", "visual.")) else None


QWEN35 = Architecture(
    model_class="Qwen3_5ForConditionalGeneration",
    also=("Qwen3_5ForCausalLM",),
    name="qwen35",
    block=_block,
    context=32768,
    head_dim=256,
    sizes=_sizes,
    outer=_outer,
    adjusted=_with_next_token,
    extra_keys=lambda config: _extra_keys(config, "qwen35"),
    left_out=_left_out,
    splitting="qwen35",
)
QWEN35MOE = replace(
    QWEN35,
    model_class="Qwen3_5MoeForConditionalGeneration",
    also=("Qwen3_5MoeForCausalLM",),
    name="qwen35moe",
    extra_keys=lambda config: _extra_keys(config, "qwen35moe"),
)
QWEN3NEXT = replace(
    QWEN35,
    model_class="Qwen3NextForCausalLM",
    also=(),
    name="qwen3next",
    extra_keys=lambda config: _extra_keys(config, "qwen3next"),
    splitting="qwen2",
)
