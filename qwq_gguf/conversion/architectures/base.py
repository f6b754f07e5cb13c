"""The vocabulary in which an architecture is described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from qwq_gguf.conversion.config import ModelConfig
from qwq_gguf.conversion.parts import View
from qwq_gguf.conversion.values import Change, ComputedTensor
from qwq_gguf.metadata import KeyValue

__all__ = [
    "ATTENTION",
    "MLP",
    "NORMS",
    "QKV_BIAS",
    "Architecture",
    "TensorRule",
    "common_sizes",
    "every_layer",
    "experts",
    "outer_tensors",
]


@dataclass(frozen=True, slots=True)
class TensorRule:
    """One tensor of a block (or of the model): its name there and here, and its shape.

    `shape` is in PyTorch order, each dimension by its name (`Architecture.sizes`, or one of
    `common_sizes`). A tensor that is not `needed` is taken where it exists.
    `interleave` marks rows whose rotary halves llama.cpp wants interleaved head by head.
    With `stacked` the target is made of so many tensors of this shape, one upon the other;
    `source` then has ``{}`` in the place of the number. What is stacked in one layer comes
    when all of it is there, in the order of its rules. `view` says what of its source the
    target has; several rules may look at one source. `change` is done to every number. An
    `early` one the converter writes before all others. One that is `kept` stays in the type that
    it is stored in, as llama-quantize leaves it.
    """

    source: str
    target: str
    shape: tuple[str, ...]
    needed: bool = True
    interleave: bool = False
    stacked: int = 0
    view: View | None = None
    change: Change = ""
    early: bool = False
    kept: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """The names there, in the order in which they are stacked."""
        if not self.stacked:
            return (self.source,)
        return tuple(self.source.format(number) for number in range(self.stacked))


ATTENTION = (
    TensorRule("self_attn.q_proj.weight", "attn_q.weight", ("queries", "embedding")),
    TensorRule("self_attn.k_proj.weight", "attn_k.weight", ("keys", "embedding")),
    TensorRule("self_attn.v_proj.weight", "attn_v.weight", ("keys", "embedding")),
    TensorRule("self_attn.o_proj.weight", "attn_output.weight", ("embedding", "queries")),
)
QKV_BIAS = (
    TensorRule("self_attn.q_proj.bias", "attn_q.bias", ("queries",)),
    TensorRule("self_attn.k_proj.bias", "attn_k.bias", ("keys",)),
    TensorRule("self_attn.v_proj.bias", "attn_v.bias", ("keys",)),
)
MLP = (
    TensorRule("mlp.gate_proj.weight", "ffn_gate.weight", ("feed_forward", "embedding")),
    TensorRule("mlp.up_proj.weight", "ffn_up.weight", ("feed_forward", "embedding")),
    TensorRule("mlp.down_proj.weight", "ffn_down.weight", ("embedding", "feed_forward")),
)
NORMS = (
    TensorRule("input_layernorm.weight", "attn_norm.weight", ("embedding",)),
    TensorRule("post_attention_layernorm.weight", "ffn_norm.weight", ("embedding",)),
)


def outer_tensors(config: ModelConfig) -> tuple[TensorRule, ...]:
    """The tensors outside the blocks. Tied embeddings need no lm_head; one that is there
    all the same is kept, as the converter keeps it.
    """
    return (
        TensorRule("model.embed_tokens.weight", "token_embd.weight", ("vocab", "embedding")),
        TensorRule("model.norm.weight", "output_norm.weight", ("embedding",)),
        TensorRule("lm_head.weight", "output.weight", ("vocab", "embedding"), not config.tied),
    )


def experts(count: int) -> tuple[TensorRule, ...]:
    """A gated MLP of so many routed experts, saved one by one, in the converter's order."""
    wide, inner = "embedding", "expert_feed_forward"
    return tuple(
        TensorRule(f"mlp.experts.{{}}.{there}.weight", f"{here}.weight", shape, stacked=count)
        for there, here, shape in (
            ("down_proj", "ffn_down_exps", (wide, inner)),
            ("gate_proj", "ffn_gate_exps", (inner, wide)),
            ("up_proj", "ffn_up_exps", (inner, wide)),
        )
    )


def common_sizes(config: ModelConfig) -> dict[str, int]:
    """The dimensions that every decoder has, by name."""
    return {
        "embedding": config.embedding,
        "feed_forward": config.feed_forward,
        "queries": config.heads * config.head_dim,
        "keys": config.kv_heads * config.head_dim,
        "head_dim": config.head_dim,
        "vocab": config.vocab,
        "experts": config.experts,
        "expert_feed_forward": config.expert_feed_forward,
    }


Block: TypeAlias = Callable[[ModelConfig, int], tuple[TensorRule, ...]]


def every_layer(block: Callable[[ModelConfig], tuple[TensorRule, ...]]) -> Block:
    """The same tensors whatever the layer's number."""
    return lambda config, layer: block(config)


def _nothing(config: ModelConfig) -> tuple[()]:
    return ()


def _usual_outer(config: ModelConfig) -> tuple[tuple[TensorRule, int | None], ...]:
    return tuple((rule, None) for rule in outer_tensors(config))


def _as_it_is(config: ModelConfig) -> ModelConfig:
    return config


def _usual_keys(config: ModelConfig) -> None:
    return None


def _nothing_out(config: ModelConfig, name: str) -> None:
    return None


def _always(values: Mapping[str, Any]) -> bool:
    return True


def _no_sizes(config: ModelConfig) -> dict[str, int]:
    return {}


@dataclass(frozen=True, slots=True)
class Architecture:
    """`model_class` is the name in config.json (`also` are others of the same), `name` the one
    in the GGUF.

    `block` gives the tensors of the block of a number, `sizes` dimensions that no other
    architecture has, `extra_keys` what is written after general.file_type, `computed` tensors
    that no shard holds. What only this architecture has in config.json these read from
    `ModelConfig.fields`. `head_dim` and `context` are the values that transformers assumes
    when config.json is silent. `writes_head_size` says that the head size is written even
    when config.json leaves it to be computed; `head_sizes`, where given, are those of key and
    value, or None to write none there. `adjusted` is the config as this architecture means
    it. `left_out` says of a tensor's name what it belongs to that the GGUF does not have, None
    for all others. `special` are tokens by their role, where the tokenizer's files name none;
    `splitting` is the usual pre-tokenizer, for a vocabulary that is not known. `outer` gives
    what is outside the blocks, or in blocks that the checkpoint names otherwise: rules with
    whole names, and the block's number. `all_keys` are written in place of the usual ones,
    `early_keys` before everything but the architecture. `scalings` are kinds of rope scaling
    that only this one has; `tied` is what transformers assumes of the embeddings.
    With `pieces` the vocabulary is of a SentencePiece kind, not of bytes. Of several with one
    `model_class`, `means` tells by config.json which it is.
    """

    model_class: str
    name: str
    block: Block
    context: int
    head_dim: int | None = None
    writes_head_size: bool = True
    head_sizes: Callable[[ModelConfig], tuple[int, int] | None] | None = None
    adjusted: Callable[[ModelConfig], ModelConfig] = _as_it_is
    left_out: Callable[[ModelConfig, str], str | None] = _nothing_out
    special: tuple[tuple[str, str], ...] = ()
    splitting: str | None = None
    also: tuple[str, ...] = ()
    outer: Callable[[ModelConfig], tuple[tuple[TensorRule, int | None], ...]] = _usual_outer
    sizes: Callable[[ModelConfig], Mapping[str, int]] = _no_sizes
    extra_keys: Callable[[ModelConfig], tuple[KeyValue, ...]] = _nothing
    computed: Callable[[ModelConfig], tuple[ComputedTensor, ...]] = _nothing
    writes_space_prefix: bool = False
    all_keys: Callable[[ModelConfig], tuple[KeyValue, ...] | None] = _usual_keys
    early_keys: Callable[[ModelConfig], tuple[KeyValue, ...]] = _nothing
    scalings: tuple[str, ...] = ()
    tied: bool = False
    pieces: bool = False
    means: Callable[[Mapping[str, Any]], bool] = _always
