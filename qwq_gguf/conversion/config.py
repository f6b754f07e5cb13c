"""config.json as checked values. Nothing in it is trusted: sizes are bounded, and looked
at together, before anything is planned with them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.conversion.fields import Fields
from qwq_gguf.conversion.rope import Rope, read_rope
from qwq_gguf.errors import ConfigError

__all__ = ["ModelConfig", "read_config"]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The sizes of a decoder. `head_dim_given` tells a stated head size from a computed one,
    because llama.cpp's converter writes only the former for Qwen2. Without experts, `experts`
    and what goes with it are 0, and so may `feed_forward` be with them. `fields` has whatever
    else config.json says; of a model that sees and hears, what it says of the text model.
    `present` are the names of the checkpoint's tensors.
    """

    layers: int
    embedding: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    head_dim_given: bool
    vocab: int
    context: int
    rms_epsilon: float
    rope: Rope
    tied: bool
    attention_bias: bool
    mlp_bias: bool
    experts: int
    experts_used: int
    expert_feed_forward: int
    fields: Fields
    present: Collection[str] = ()


_EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
_MOST_EXPERTS = 2**17  # of all layers; DeepSeek-R1 has an eighth of that
_EXPERTS_USED = ("num_experts_per_tok", "num_experts_per_token", "top_k_experts")


def _first_integer(fields: Fields, names: Sequence[str], most: int) -> int:
    """The first of the fields that is there; 0 for none."""
    name = next((name for name in names if fields.values.get(name) is not None), None)
    return 0 if name is None else fields.integer(name, most)


def read_config(
    config: Mapping[str, Any],
    path: Path,
    *,
    head_dim: int | None = None,
    context: int,
    tied: bool = False,
    scalings: Sequence[str] = (),
) -> ModelConfig:
    """Check a config.json. `head_dim`, `context` and `tied` are the architecture's defaults, as
    transformers has them, `scalings` kinds of rope scaling that only it has. ConfigError names
    the key.
    """
    text = Fields(config, path).object("text_config")
    fields = Fields(config if text is None else {**config, **text.values}, path)
    config = fields.values
    heads = fields.integer("num_attention_heads", 2**14)
    embedding = fields.integer("hidden_size", 2**20)
    given = config.get("head_dim") is not None or head_dim is not None
    if not given and embedding % heads:
        raise fields.error("hidden_size", f"is not a multiple of its {heads} attention heads")
    head_size = fields.integer("head_dim", 2**14, default=head_dim or embedding // heads)
    if head_size % 2:
        raise fields.error("head_dim", "is odd, rotary positions need pairs")
    kv_heads = fields.integer("num_key_value_heads", 2**14, default=heads)
    if heads % kv_heads:
        raise fields.error("num_key_value_heads", f"does not divide the {heads} attention heads")
    positions = fields.integer("max_position_embeddings", 2**31 - 1, default=context)
    if positions < heads:
        raise fields.error("max_position_embeddings", f"is less than the {heads} attention heads")
    experts = _first_integer(fields, _EXPERTS, 2**12)
    used = _first_integer(fields, _EXPERTS_USED, 2**12)
    if used > experts:
        raise ConfigError(
            "a token goes to more experts than there are", path=path, found=used, expected=experts
        )
    # Nemotron-H saved by transformers 5 has a list in place of the number.
    listed = fields.values.get("layers_block_type")
    count = len(listed) if isinstance(listed, list) and 0 < len(listed) <= 2**12 else None
    layers = fields.integer("num_hidden_layers", 2**12, default=count)
    if layers * experts > _MOST_EXPERTS:
        raise fields.error("num_hidden_layers", f"is absurd, with {experts} experts each")
    return ModelConfig(
        layers=layers,
        embedding=embedding,
        feed_forward=fields.integer("intermediate_size", 2**22, default=0 if experts else None),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_size,
        head_dim_given=given,
        vocab=fields.integer("vocab_size", 2**21),
        context=positions,
        rms_epsilon=fields.number("rms_norm_eps", 1e-30, 1.0, default=1e-6),
        rope=read_rope(fields, positions, scalings),
        tied=fields.flag("tie_word_embeddings", tied),
        attention_bias=fields.flag("attention_bias"),
        mlp_bias=fields.flag("mlp_bias"),
        experts=experts,
        experts_used=used,
        expert_feed_forward=fields.integer("moe_intermediate_size", 2**22, default=0),
        fields=fields,
    )
