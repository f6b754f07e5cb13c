"""Checkpoints of Gemma 4: layers of two kinds, in three builds, and a vocabulary of pieces."""

from __future__ import annotations

from typing import Any

from support.checkpoints import CHAT_TEMPLATE
from support.family_checkpoints import Family, Shapes

__all__ = ["GEMMA4_26B_A4B", "GEMMA4_31B", "GEMMA4_E2B", "gemma4", "piece_tokenizer"]

_SPACE = "\u2581"


def gemma4(
    *,
    hidden: int = 64,
    layers: int = 4,
    every: int = 2,
    heads: int = 4,
    kv_heads: int = 2,
    full_kv_heads: int | None = None,
    head: int = 32,
    full_head: int = 64,
    inner: int = 96,
    per_layer: int = 0,
    shared: int = 0,
    experts: int = 0,
    expert_inner: int = 32,
    vocab: int = 320,
    vision: bool = False,
    **changes: Any,
) -> Family:
    """Every so many layers see all, with wider heads; the others see a window.

    With `full_kv_heads` those have no values of their own, as in the 31B. `per_layer` numbers a
    token go into each layer and the last `shared` have no keys of their own, as in E2B. With
    `experts` each layer has them beside its MLP, as in 26B-A4B.
    """
    kinds = ["full" if (i + 1) % every == 0 else "sliding" for i in range(layers)]
    text: dict[str, Any] = {
        "model_type": "gemma4_text",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "num_global_key_value_heads": full_kv_heads,
        "attention_k_eq_v": full_kv_heads is not None,
        "head_dim": head,
        "global_head_dim": full_head,
        "intermediate_size": inner,
        "hidden_size_per_layer_input": per_layer,
        "vocab_size_per_layer_input": vocab,
        "num_kv_shared_layers": shared,
        "use_double_wide_mlp": bool(shared),
        "enable_moe_block": bool(experts),
        "num_experts": experts or None,
        "top_k_experts": 2 if experts else None,
        "moe_intermediate_size": expert_inner if experts else None,
        "layer_types": [f"{kind}_attention" for kind in kinds],
        "sliding_window": 8,
        "final_logit_softcapping": 30.0,
        "vocab_size": vocab,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {
            "full_attention": {
                "rope_type": "proportional",
                "partial_rotary_factor": 0.25,
                "rope_theta": 1000000.0,
            },
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
        "tie_word_embeddings": True,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
    } | changes
    prefix = "model.language_model." if vision else "model."
    shapes: Shapes = {
        f"{prefix}embed_tokens.weight": (vocab, hidden),
        f"{prefix}norm.weight": (hidden,),
    }
    if per_layer:
        shapes |= {
            f"{prefix}embed_tokens_per_layer.weight": (vocab, layers * per_layer),
            f"{prefix}per_layer_model_projection.weight": (layers * per_layer, hidden),
            f"{prefix}per_layer_projection_norm.weight": (per_layer,),
        }
    for layer, kind in enumerate(kinds):
        full, reuses = kind == "full", layer >= layers - shared
        size = full_head if full else head
        keys = (full_kv_heads or kv_heads if full else kv_heads) * size
        wide = inner * 2 if reuses else inner
        block: Shapes = {
            "self_attn.q_proj.weight": (heads * size, hidden),
            "self_attn.o_proj.weight": (hidden, heads * size),
            "self_attn.q_norm.weight": (size,),
            "mlp.gate_proj.weight": (wide, hidden),
            "mlp.up_proj.weight": (wide, hidden),
            "mlp.down_proj.weight": (hidden, wide),
            "layer_scalar": (1,),
            "input_layernorm.weight": (hidden,),
            "post_attention_layernorm.weight": (hidden,),
            "pre_feedforward_layernorm.weight": (hidden,),
            "post_feedforward_layernorm.weight": (hidden,),
        }
        if not reuses:
            block |= {
                "self_attn.k_proj.weight": (keys, hidden),
                "self_attn.k_norm.weight": (size,),
            }
            if not full or full_kv_heads is None:
                block["self_attn.v_proj.weight"] = (keys, hidden)
        if per_layer:
            block |= {
                "per_layer_input_gate.weight": (per_layer, hidden),
                "per_layer_projection.weight": (hidden, per_layer),
                "post_per_layer_input_norm.weight": (hidden,),
            }
        if experts:
            block |= {
                "router.proj.weight": (experts, hidden),
                "router.scale": (hidden,),
                "router.per_expert_scale": (experts,),
                "experts.gate_up_proj": (experts, 2 * expert_inner, hidden),
                "experts.down_proj": (experts, hidden, expert_inner),
                "pre_feedforward_layernorm_2.weight": (hidden,),
                "post_feedforward_layernorm_1.weight": (hidden,),
                "post_feedforward_layernorm_2.weight": (hidden,),
            }
        shapes |= {f"{prefix}layers.{layer}.{name}": size for name, size in block.items()}
    if not vision:
        return Family({"architectures": ["Gemma4ForCausalLM"], **text}, shapes)
    shapes |= {
        "model.vision_tower.encoder.layers.0.self_attn.some_proj.weight": (32, 32),
        "model.embed_vision.some_projection.weight": (hidden, 32),
    }
    config = {
        "architectures": ["Gemma4ForConditionalGeneration"],
        "model_type": "gemma4",
        "text_config": text,
        "vision_config": {"model_type": "gemma4_vision", "hidden_size": 32},
        "image_token_id": 310,
    }
    return Family(config, shapes)


_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<mask>")
_CONTROL = ("<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>", "<|tool_call>")
_WORDS = ("the", f"{_SPACE}the", f"{_SPACE}and", "ing", f"{_SPACE}wait", f"{_SPACE}{_SPACE}")


def piece_tokenizer(**config_changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """320 tokens: special ones, all bytes, letters and a few words; spaces are low lines."""
    vocab = {text: number for number, text in enumerate((*_SPECIAL, *_CONTROL))}
    vocab |= {f"<0x{byte:02X}>": len(_SPECIAL) + len(_CONTROL) + byte for byte in range(256)}
    for letter in (*"abcdefghijklmnopqrstuvwxyz12", "\n", _SPACE):
        vocab[letter] = len(vocab)
    merges: list[list[str]] = []
    for word in _WORDS:
        joined = word[0]
        for letter in word[1:]:
            if joined + letter not in vocab:
                merges.append([joined, letter])
                vocab[joined + letter] = len(vocab)
            joined += letter
    vocab |= {f"<unused{number}>": len(vocab) + number for number in range(320 - len(vocab))}
    added = [
        {
            "id": vocab[content],
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": content not in ("<mask>", "<|tool_call>"),
        }
        for content in (*_SPECIAL, *_CONTROL)
    ]
    bos = {"SpecialToken": {"id": "<bos>", "type_id": 0}}
    a, b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [bos, a],
            "pair": [bos, a, bos, b],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}},
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": merges,
        },
    }
    config = {
        "tokenizer_class": "GemmaTokenizer",
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
        "sot_token": "<|turn>",
        "eot_token": "<turn|>",
        "soc_token": "<|channel>",
        "extra_special_tokens": {"think_token": "<|think|>"},
        "model_max_length": 2048,
        "chat_template": CHAT_TEMPLATE,
    } | config_changes
    return tokenizer, config


GEMMA4_31B = gemma4(
    hidden=5376,
    layers=60,
    every=6,
    heads=32,
    kv_heads=16,
    full_kv_heads=4,
    head=256,
    full_head=512,
    inner=21504,
    vocab=320,
    vision=True,
)
GEMMA4_26B_A4B = gemma4(
    hidden=2816,
    layers=30,
    every=6,
    heads=16,
    kv_heads=8,
    full_kv_heads=2,
    head=256,
    full_head=512,
    inner=2112,
    experts=128,
    expert_inner=704,
    top_k_experts=8,
    vision=True,
)
GEMMA4_E2B = gemma4(
    hidden=1536,
    layers=35,
    every=5,
    heads=8,
    kv_heads=1,
    head=256,
    full_head=512,
    inner=6144,
    per_layer=256,
    shared=20,
    vision=True,
)
"""Of their published sizes, but for the vocabulary."""
