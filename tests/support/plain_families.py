"""Checkpoints of families whose layers are all alike: config.json, and every tensor's shape.

As in `family_checkpoints.py`, each is a function of few numbers. A change to None leaves a key
of config.json out.
"""

from __future__ import annotations

from typing import Any

from support.family_checkpoints import Family, Shapes, gated

__all__ = [
    "EXAONE4_32B",
    "GLM_45_AIR",
    "MINISTRAL_14B",
    "OLMO3_32B",
    "PHI_4_REASONING",
    "SEED_OSS_36B",
    "SMOLLM3_3B",
    "exaone4",
    "glm4_moe",
    "mistral3",
    "olmo",
    "phi3",
    "seed_oss",
    "smollm3",
]


def _family(config: dict[str, Any], shapes: Shapes) -> Family:
    return Family({key: value for key, value in config.items() if value is not None}, shapes)


def _config(
    model_class: str,
    model_type: str,
    *,
    hidden: int,
    layers: int,
    heads: int,
    kv_heads: int,
    head: int,
    inner: int,
    vocab: int,
) -> dict[str, Any]:
    return {
        "architectures": [model_class],
        "model_type": model_type,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head,
        "intermediate_size": inner,
        "vocab_size": vocab,
        "max_position_embeddings": 65536,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "eos_token_id": 280,
        "torch_dtype": "bfloat16",
    }


def _attention(hidden: int, queries: int, keys: int, *, bias: bool = False) -> Shapes:
    shapes: Shapes = {
        "self_attn.q_proj.weight": (queries, hidden),
        "self_attn.k_proj.weight": (keys, hidden),
        "self_attn.v_proj.weight": (keys, hidden),
        "self_attn.o_proj.weight": (hidden, queries),
    }
    if bias:
        shapes |= {
            f"self_attn.{name}_proj.bias": shapes[f"self_attn.{name}_proj.weight"][:1]
            for name in "qkv"
        }
    return shapes


def _norms(wide: int, *names: str) -> Shapes:
    return {f"{name}_layernorm.weight": (wide,) for name in names}


def _model(
    config: dict[str, Any], block: Shapes, *, prefix: str = "model.", head: str = "lm_head.weight"
) -> Shapes:
    """The tensors of a model whose layers are all like this one."""
    wide, vocab = config["hidden_size"], config["vocab_size"]
    shapes: Shapes = {
        f"{prefix}embed_tokens.weight": (vocab, wide),
        f"{prefix}norm.weight": (wide,),
    }
    if not config["tie_word_embeddings"]:
        shapes[head] = (vocab, wide)
    for layer in range(config["num_hidden_layers"]):
        shapes |= {f"{prefix}layers.{layer}.{name}": size for name, size in block.items()}
    return shapes


_USUAL = ("input", "post_attention")
_AFTER = ("post_attention", "post_feedforward")


def seed_oss(
    *,
    hidden: int = 256,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    head: int = 96,
    inner: int = 320,
    vocab: int = 320,
    **changes: Any,
) -> Family:
    """Seed-OSS: biases on queries, keys and values, heads that do not divide the width."""
    config = _config(
        "SeedOssForCausalLM",
        "seed_oss",
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        inner=inner,
        vocab=vocab,
    )
    config |= {"attention_bias": True, "attention_out_bias": False, "mlp_bias": False}
    config |= {"rope_theta": 10000000.0, "rope_scaling": {"rope_type": "default"}} | changes
    block = _attention(hidden, heads * head, kv_heads * head, bias=True)
    block |= gated("mlp", hidden, inner) | _norms(hidden, *_USUAL)
    return _family(config, _model(config, block))


def smollm3(
    *,
    hidden: int = 256,
    layers: int = 4,
    heads: int = 4,
    kv_heads: int = 2,
    inner: int = 320,
    vocab: int = 320,
    **changes: Any,
) -> Family:
    """SmolLM3: no positions in every fourth layer."""
    config = _config(
        "SmolLM3ForCausalLM",
        "smollm3",
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=hidden // heads,
        inner=inner,
        vocab=vocab,
    )
    del config["head_dim"]
    config |= {
        "tie_word_embeddings": True,
        "pad_token_id": 278,
        "no_rope_layer_interval": 4,
        "use_sliding_window": False,
    }
    config |= {"no_rope_layers": [int((i + 1) % 4 != 0) for i in range(layers)]} | changes
    block = _attention(hidden, hidden, hidden // heads * kv_heads)
    block |= gated("mlp", hidden, inner) | _norms(hidden, *_USUAL)
    return _family(config, _model(config, block))


def phi3(
    *,
    hidden: int = 256,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    inner: int = 320,
    vocab: int = 320,
    **changes: Any,
) -> Family:
    """Phi-4-reasoning: queries, keys and values in one matrix, gate and up in another."""
    head = hidden // heads
    config = _config(
        "Phi3ForCausalLM",
        "phi3",
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        inner=inner,
        vocab=vocab,
    )
    del config["head_dim"]
    config |= {
        "original_max_position_embeddings": 65536,
        "partial_rotary_factor": 1.0,
        "pad_token_id": 278,
        "sliding_window": None,
    } | changes
    block: Shapes = {
        "self_attn.qkv_proj.weight": ((heads + 2 * kv_heads) * head, hidden),
        "self_attn.o_proj.weight": (hidden, hidden),
        "mlp.gate_up_proj.weight": (2 * inner, hidden),
        "mlp.down_proj.weight": (hidden, inner),
    }
    return _family(config, _model(config, block | _norms(hidden, *_USUAL)))


def mistral3(
    *,
    hidden: int = 256,
    layers: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    head: int = 96,
    inner: int = 320,
    vocab: int = 320,
    stretched: bool = True,
    vision: bool = True,
    **changes: Any,
) -> Family:
    """Ministral 3, `stretched` to long contexts, and Magistral, which is not."""
    config = _config(
        "Mistral3ForConditionalGeneration",
        "mistral",
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        inner=inner,
        vocab=vocab,
    )
    if stretched:
        del config["rope_theta"]
        config |= {
            "model_type": "ministral3",
            "rope_parameters": {
                "rope_type": "yarn",
                "type": "yarn",
                "factor": 16.0,
                "beta_fast": 32.0,
                "beta_slow": 1.0,
                "mscale": 1.0,
                "mscale_all_dim": 1.0,
                "llama_4_scaling_beta": 0.1,
                "original_max_position_embeddings": 4096,
                "rope_theta": 1000000.0,
            },
        }
    config |= changes
    block = _attention(hidden, heads * head, kv_heads * head)
    block |= gated("mlp", hidden, inner) | _norms(hidden, *_USUAL)
    if not vision:
        return _family(config, _model(config, block))
    shapes = _model(
        config, block, prefix="language_model.model.", head="language_model.lm_head.weight"
    )
    shapes |= {
        "vision_tower.patch_conv.weight": (32, 3, 4, 4),
        "vision_tower.transformer.layers.0.attention.q_proj.weight": (32, 32),
        "multi_modal_projector.linear_1.weight": (hidden, 32),
    }
    whole = {
        "architectures": config.pop("architectures"),
        "model_type": "mistral3",
        "tie_word_embeddings": config.pop("tie_word_embeddings"),
        "text_config": {key: value for key, value in config.items() if value is not None},
        "vision_config": {
            "model_type": "pixtral",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "image_size": 16,
            "patch_size": 4,
        },
    }
    return Family(whole, shapes)


def olmo(
    *,
    hidden: int = 256,
    layers: int = 4,
    heads: int = 4,
    kv_heads: int = 2,
    inner: int = 320,
    vocab: int = 320,
    windows: bool = True,
    **changes: Any,
) -> Family:
    """Olmo 3, with `windows`, and Olmo 2: norms behind attention and MLP, and over all heads."""
    name = "Olmo3" if windows else "Olmo2"
    head = hidden // heads
    config = _config(
        f"{name}ForCausalLM",
        name.lower(),
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        inner=inner,
        vocab=vocab,
    )
    del config["head_dim"]
    if windows:
        kinds = ["full" if (i + 1) % 4 == 0 else "sliding" for i in range(layers)]
        # The same base in all layers, as in the real ones: llama.cpp takes it for all.
        config |= {"rope_theta": 500000.0, "sliding_window": 8}
        config["layer_types"] = [f"{kind}_attention" for kind in kinds]
        config["rope_scaling"] = {
            "rope_type": "yarn",
            "factor": 8.0,
            "original_max_position_embeddings": 8192,
            "attention_factor": 1.2079441541679836,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
        }
    config |= changes
    block = _attention(hidden, hidden, kv_heads * head)
    block |= {"self_attn.q_norm.weight": (hidden,), "self_attn.k_norm.weight": (kv_heads * head,)}
    block |= gated("mlp", hidden, inner) | _norms(hidden, *_AFTER)
    return _family(config, _model(config, block))


def exaone4(
    *,
    hidden: int = 256,
    layers: int = 4,
    heads: int = 4,
    kv_heads: int = 2,
    head: int = 64,
    inner: int = 320,
    vocab: int = 320,
    **changes: Any,
) -> Family:
    """EXAONE 4.0: norms behind attention and MLP, and on heads; three windows to one of all."""
    config = _config(
        "Exaone4ForCausalLM",
        "exaone4",
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        inner=inner,
        vocab=vocab,
    )
    kinds = ["full" if (i + 1) % 4 == 0 else "sliding" for i in range(layers)]
    config |= {
        "sliding_window": 8,
        "sliding_window_pattern": "LLLG",
        "layer_types": [f"{kind}_attention" for kind in kinds],
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 16.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        "bos_token_id": 278,
    } | changes
    block = _attention(hidden, heads * head, kv_heads * head)
    block |= {"self_attn.q_norm.weight": (head,), "self_attn.k_norm.weight": (head,)}
    block |= gated("mlp", hidden, inner) | _norms(hidden, *_AFTER)
    return Family(config, _model(config, block))  # with nulls, which mean something here


def glm4_moe(
    *,
    hidden: int = 256,
    layers: int = 3,
    dense: int = 1,
    heads: int = 4,
    kv_heads: int = 2,
    head: int = 96,
    inner: int = 320,
    expert_inner: int = 64,
    experts: int = 12,
    shared: int = 1,
    vocab: int = 320,
    following: int = 1,
    head_norms: bool = False,
    **changes: Any,
) -> Family:
    """GLM-4.5 and 4.6: half of each head is rotated, shared and routed experts, a bias of the
    router; `following` layers predict a token more.
    """
    config = _config(
        "Glm4MoeForCausalLM",
        "glm4_moe",
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head=head,
        inner=inner,
        vocab=vocab,
    )
    config |= {
        "attention_bias": True,
        "use_qk_norm": head_norms,
        "partial_rotary_factor": 0.5,
        "first_k_dense_replace": dense,
        "moe_intermediate_size": expert_inner,
        "n_routed_experts": experts,
        "n_shared_experts": shared,
        "num_experts_per_tok": 4,
        "n_group": 1,
        "topk_group": 1,
        "norm_topk_prob": True,
        "routed_scaling_factor": 1.5,
        "num_nextn_predict_layers": following,
        "eos_token_id": [278, 281, 282],
    } | changes
    attention = _attention(hidden, heads * head, kv_heads * head, bias=True)
    attention |= _norms(hidden, *_USUAL)
    if head_norms:
        attention |= {"self_attn.q_norm.weight": (head,), "self_attn.k_norm.weight": (head,)}
    routed: Shapes = {
        "mlp.gate.weight": (experts, hidden),
        "mlp.gate.e_score_correction_bias": (experts,),
        **gated("mlp.shared_experts", hidden, expert_inner * shared),
    }
    for number in range(experts):
        routed |= gated(f"mlp.experts.{number}", hidden, expert_inner)
    after: Shapes = {
        "enorm.weight": (hidden,),
        "hnorm.weight": (hidden,),
        "eh_proj.weight": (hidden, 2 * hidden),
        "shared_head.norm.weight": (hidden,),
        "shared_head.head.weight": (vocab, hidden),
        "embed_tokens.weight": (vocab, hidden),
    }
    shapes = _model(config | {"num_hidden_layers": 0}, {})
    for layer in range(layers + following):
        block = attention | (routed if layer >= dense else gated("mlp", hidden, inner))
        block |= after if layer >= layers else {}
        shapes |= {f"model.layers.{layer}.{name}": size for name, size in block.items()}
    return _family(config, shapes)


GLM_45_AIR = glm4_moe(
    hidden=4096,
    layers=46,
    heads=96,
    kv_heads=8,
    head=128,
    inner=10944,
    expert_inner=1408,
    experts=128,
    vocab=151552,
    num_experts_per_tok=8,
    routed_scaling_factor=1.0,
)
SEED_OSS_36B = seed_oss(
    hidden=5120, layers=64, heads=80, kv_heads=8, head=128, inner=27648, vocab=155136
)
SMOLLM3_3B = smollm3(hidden=2048, layers=36, heads=16, kv_heads=4, inner=11008, vocab=128256)
PHI_4_REASONING = phi3(hidden=5120, layers=40, heads=40, kv_heads=10, inner=17920, vocab=100352)
MINISTRAL_14B = mistral3(
    hidden=5120, layers=40, heads=32, kv_heads=8, head=128, inner=16384, vocab=131072
)
OLMO3_32B = olmo(hidden=5120, layers=64, heads=40, kv_heads=8, inner=27648, vocab=100278)
EXAONE4_32B = exaone4(
    hidden=5120, layers=64, heads=40, kv_heads=8, head=128, inner=27392, vocab=102400
)
