"""The checkpoints whose conversion is recorded in tests/golden, and the form of the record.

Both sides use this: tests/golden/make.py, which runs llama.cpp's own converter, and the tests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from support.checkpoints import (
    CHAT_TEMPLATE,
    LLAMA3_REGEX,
    Shape,
    byte_tokenizer,
    in_bytes,
    qwen2_tokenizer,
    random_tensors,
    write_checkpoint,
    write_json,
)
from support.family_checkpoints import Family, deepseek_v3, gpt_oss, in_mxfp4, qwen35, write_family
from support.gemma_family import gemma4, piece_tokenizer
from support.nemotron_family import nemotron_h
from support.packed import as_compressed, as_gptq
from support.plain_families import (
    exaone4,
    glm4_moe,
    mistral3,
    olmo,
    phi3,
    seed_oss,
    smollm3,
)
from support.tekken import tekken_tokenizer

__all__ = [
    "CASES",
    "GOLDEN",
    "LOGITS",
    "PRE_TOKENIZERS",
    "TOKENS",
    "describe_key",
    "describe_tensor",
    "load_golden",
]

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
# Longer arrays are recorded as a digest.
_LISTED = 32

_CARD = """---
license: other
license_name: tiny
license_link: https://example.com/LICENSE
language:
- en
- no
- zh
pipeline_tag: text-generation
base_model:
- Qwen/Qwen2.5-32B
- https://huggingface.co/tiny-org/base-7b-v1.5
- https://example.com/somewhere/else
datasets:
- open-org/reasoning-traces
- plain
tags:
- chat
- reasoning
model_creator: A. Uthor
---
# A model
"""
_GENERATION = {
    "do_sample": True,
    "bos_token_id": 0,
    "eos_token_id": [2, 0],
    "repetition_penalty": 1.05,
    "temperature": 0.6,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.01,
}
_LLAMA3_SCALING = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
    "rope_type": "llama3",
}
_BOS, _EOS, _A, _B = (
    {"SpecialToken": {"id": "<|begin|>", "type_id": 0}},
    {"SpecialToken": {"id": "<|end|>", "type_id": 0}},
    {"Sequence": {"id": "A", "type_id": 0}},
    {"Sequence": {"id": "B", "type_id": 1}},
)


def _added(content: str) -> dict[str, Any]:
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": True}


def _template(single: Sequence[Any], pair: Sequence[Any]) -> dict[str, Any]:
    special = {
        text: {"id": text, "ids": [number], "tokens": [text]}
        for text, number in (("<|begin|>", 278), ("<|end|>", 279))
    }
    return {
        "type": "TemplateProcessing",
        "single": list(single),
        "pair": list(pair),
        "special_tokens": special,
    }


def _qwen2(folder: Path) -> Path:
    """Two shards, biases, a card with everything, recommended sampling."""
    return write_checkpoint(
        folder / "QwQ-Tiny-1B-Preview",
        "qwen2",
        shards=2,
        card=_CARD,
        generation_config=_GENERATION,
        bos_token_id=278,
        eos_token_id=280,
        sliding_window=32768,
        use_sliding_window=False,
        max_window_layers=64,
    )


def _qwen2_vocabulary(folder: Path) -> Path:
    """The real vocabulary, padded as QwQ pads it; tied, YaRN, F16."""
    return write_checkpoint(
        folder / "QwQ-32B",
        "qwen2",
        Shape(hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=64, vocab=152064),
        dtype="F16",
        tokenizer=qwen2_tokenizer(),
        tie_word_embeddings=True,
        bos_token_id=151643,
        eos_token_id=151645,
        rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512},
    )


def _qwen3(folder: Path) -> Path:
    """A head size of its own, norms on heads, merges as pairs, templates in files, F32."""
    checkpoint = write_checkpoint(
        folder / "Qwen3-0.6B",
        "qwen3",
        Shape(head_dim=96, heads=4, kv_heads=1, layers=3),
        dtype="F32",
        tokenizer=byte_tokenizer(merge_pairs=True, chat_template=None, add_bos_token=None),
        tie_word_embeddings=True,
        _name_or_path="some-org/Qwen3-0.6B-chat",
    )
    (checkpoint / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    (checkpoint / "additional_chat_templates").mkdir()
    named = checkpoint / "additional_chat_templates" / "tool_use.jinja"
    named.write_text("{{ messages }}", encoding="utf-8")
    return checkpoint


def _qwen3moe(folder: Path) -> Path:
    """Twelve experts a layer, whose names sort 0, 1, 10, 11, 2, ..., cut by three shards."""
    return write_checkpoint(
        folder / "Qwen3-Experts",
        "qwen3_moe",
        Shape(head_dim=64, heads=4, kv_heads=1, experts=12),
        shards=3,
        generation_config=_GENERATION,
        decoder_sparse_step=1,
        mlp_only_layers=[],
        bos_token_id=278,
        eos_token_id=280,
    )


def _qwen3moe_fp8(folder: Path) -> Path:
    """FP8 with a scale for 128 x 128 weights, which end within a block; scales in BF16."""
    return write_checkpoint(
        folder / "Qwen3-Experts-FP8",
        "qwen3_moe",
        Shape(hidden=320, head_dim=64, heads=4, kv_heads=1, experts=3, expert_feed_forward=192),
        encode=partial(in_bytes, ending=".weight_scale_inv", block=(128, 128), scales="BF16"),
        quantization_config={
            "quant_method": "fp8",
            "fmt": "e4m3",
            "activation_scheme": "dynamic",
            "weight_block_size": [128, 128],
            "modules_to_not_convert": ["lm_head"],
        },
    )


def _qwen3_fp8(folder: Path) -> Path:
    """FP8 with a scale for each tensor."""
    return write_checkpoint(
        folder / "Qwen3-FP8",
        "qwen3",
        Shape(head_dim=64),
        encode=partial(in_bytes, ending=".weight_scale_inv", block=None),
        quantization_config={"quant_method": "fp8", "activation_scheme": "static"},
    )


def _compressed(folder: Path, dtype: str, form: str, kind: str) -> Path:
    weights = {"num_bits": 8, "type": kind, "strategy": "channel", "symmetric": True}
    return write_checkpoint(
        folder / "Qwen2-W8A8",
        "qwen2",
        encode=partial(in_bytes, ending=".weight_scale", block=(1, 0), dtype=dtype),
        quantization_config={
            "quant_method": "compressed-tensors",
            "format": form,
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
            "ignore": ["lm_head"],
        },
    )


_PACKED = Shape(hidden=128, layers=1, heads=4, kv_heads=2, feed_forward=192)


def _gptq(folder: Path, bits: int, form: str, *, ordered: bool = False) -> Path:
    """Its other tensors in F32, so that the converter writes all it computes."""
    return write_checkpoint(
        folder / "Qwen2-GPTQ",
        "qwen2",
        _PACKED,
        dtype="F32",
        encode=partial(as_gptq, bits=bits, group=64, ordered=ordered),
        quantization_config={
            "quant_method": "gptq",
            "bits": bits,
            "group_size": 64,
            "desc_act": ordered,
            "sym": False,
            "checkpoint_format": form,
        },
    )


def _w4a16(folder: Path, bits: int, *, zeros: bool) -> Path:
    weights = {"num_bits": bits, "type": "int", "strategy": "group", "group_size": 32}
    return write_checkpoint(
        folder / "Llama-W4A16",
        "llama",
        _PACKED,
        dtype="F32",
        encode=partial(as_compressed, bits=bits, group=32, zeros=zeros),
        quantization_config={
            "quant_method": "compressed-tensors",
            "format": "pack-quantized",
            "config_groups": {"group_0": {"weights": {**weights, "symmetric": not zeros}}},
        },
    )


_V3_YARN = {
    "type": "yarn",
    "factor": 40,
    "original_max_position_embeddings": 64,
    "beta_fast": 32,
    "beta_slow": 1,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
}


def _deepseek(folder: Path) -> Path:
    """A dense layer, shared and routed experts, the router's bias; the last layer is for
    predicting a token more, and is left out. Three shards.
    """
    family = deepseek_v3(following=1, rope_scaling=_V3_YARN)
    return write_family(folder / "DeepSeek-V3-Tiny", family, shards=3)


def _deepseek_fp8(folder: Path) -> Path:
    """Its weights in FP8: blocks end within a head of the split matrix."""
    family = deepseek_v3(
        kv_rank=192,
        nope=48,
        value=48,
        rope_scaling=_V3_YARN,
        quantization_config={
            "quant_method": "fp8",
            "fmt": "e4m3",
            "weight_block_size": [128, 128],
            "activation_scheme": "dynamic",
        },
    )
    arrays = random_tensors(family.shapes, "BF16")
    tensors = in_bytes(
        {name: ("BF16", values) for name, values in arrays.items()},
        ending=".weight_scale_inv",
        block=(128, 128),
    )
    return write_family(folder / "DeepSeek-R1-Tiny", family, tensors=tensors)


def _glm_flash(folder: Path) -> Path:
    """GLM-4.7-Flash: heads that do not divide the width, a layer for the next token.

    The real one does not say how it scores; llama.cpp knows it by its layers and vocabulary.
    """
    family = deepseek_v3(
        heads=6,
        layers=2,
        following=1,
        n_group=1,
        topk_group=1,
        topk_method=None,
        rope_theta=1000000,
        bos_token_id=None,
        eos_token_id=[278, 281, 282],
        model_class="Glm4MoeLiteForCausalLM",
    )
    return write_family(folder / "GLM-Tiny-Flash", family, tokenizer=_glm_tokenizer())


def _glm_tokenizer() -> tuple[dict[str, Any], dict[str, Any]]:
    return byte_tokenizer(
        regex=LLAMA3_REGEX,
        ignore_merges=True,
        special=("<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|observation|>"),
        tokenizer_class="PreTrainedTokenizer",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
    )


def _gpt_oss(folder: Path) -> Path:
    """Experts in MXFP4, gate and up in alternate rows, attention that may sink."""
    family = gpt_oss()
    tensors = in_mxfp4(family.shapes)
    return write_family(folder / "gpt-oss-tiny", family, tensors=tensors, shards=2)


def _gpt_oss_bf16(folder: Path) -> Path:
    """A fine-tune of it: experts in BF16, rows and columns exchanged."""
    return write_family(folder / "gpt-oss-tuned", gpt_oss(packed=False))


def _qwen35(folder: Path) -> Path:
    """Three value heads to a key head, a vision tower, a layer for the next token; F16, in
    which the norms are summed.
    """
    family = qwen35(vision=True, following=1)
    return write_family(folder / "Qwen3.5-Tiny", family, dtype="F16", shards=2)


def _qwen35_text(folder: Path) -> Path:
    """The text model alone: as many value heads as key heads. With this seed torch rounds its
    exponentials to the nearest numbers, which it does not promise.
    """
    return write_family(folder / "Qwen3.5-Text", qwen35(value_heads=2, following=1), seed=1)


def _qwen35moe(folder: Path) -> Path:
    """Experts in two tensors a layer, one of them shared."""
    family = qwen35(kind="qwen3_5_moe", experts=4, value_heads=4, vision=True, following=1)
    return write_family(folder / "Qwen3.5-Tiny-Experts", family, shards=3)


def _qwen3next(folder: Path) -> Path:
    """Queries, keys, values and gates of a key head together; experts one by one."""
    family = qwen35(kind="qwen3_next", experts=12, value_heads=4, following=1)
    return write_family(folder / "Qwen3-Next-Tiny", family)


def _glm4moe(folder: Path) -> Path:
    """A dense layer, shared and routed experts, a layer for the next token; three shards."""
    return write_family(folder / "GLM-4.5-Tiny", glm4_moe(), tokenizer=_glm_tokenizer(), shards=3)


def _glm4moe_norms(folder: Path) -> Path:
    """Norms on heads, as the large one has them; F16."""
    family = glm4_moe(head_norms=True, dense=0, experts=3, num_experts_per_tok=2, following=0)
    return write_family(folder / "GLM-4.6-Tiny", family, tokenizer=_glm_tokenizer(), dtype="F16")


def _seed_oss(folder: Path) -> Path:
    """Biases, heads that do not divide the width."""
    return write_family(folder / "Seed-OSS-Tiny-Instruct", seed_oss(), shards=2)


def _smollm3(folder: Path) -> Path:
    """Tied, a fourth layer without positions."""
    return write_family(folder / "SmolLM3-Tiny", smollm3())


def _phi3(folder: Path) -> Path:
    """One matrix for queries, keys and values, one for gate and up."""
    return write_family(folder / "Phi-4-reasoning-tiny", phi3(), tokenizer=_phi_tokenizer())


def _phi3_long(folder: Path) -> Path:
    """As Phi-4-mini-reasoning: tied, three quarters of each head rotated, a factor for each
    frequency.
    """
    family = phi3(
        tie_word_embeddings=True,
        partial_rotary_factor=0.75,
        sliding_window=262144,
        original_max_position_embeddings=4096,
        rope_scaling={
            "type": "longrope",
            "long_factor": [1.0 + 0.25 * i for i in range(24)],
            "short_factor": [1.0 + 0.125 * (i % 3) for i in range(24)],
        },
    )
    return write_family(folder / "Phi-4-mini-tiny", family, tokenizer=_phi_tokenizer())


def _phi_tokenizer() -> tuple[dict[str, Any], dict[str, Any]]:
    return byte_tokenizer(tokenizer_class="GPT2Tokenizer")


def _ministral3(folder: Path) -> Path:
    """A vision tower, positions stretched, rows interleaved."""
    return write_family(folder / "Ministral-3-Tiny-Reasoning", mistral3(), shards=2)


def _magistral(folder: Path) -> Path:
    """The same before it was stretched."""
    return write_family(folder / "Magistral-Tiny", mistral3(stretched=False), dtype="F16")


def _tekken(folder: Path) -> Path:
    """With Mistral's own form of a vocabulary alone."""
    model = write_family(folder / "Magistral-Tekken", mistral3(stretched=False), dtype="F16")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).unlink()
    write_json(model / "tekken.json", tekken_tokenizer())
    return model


def _olmo3(folder: Path) -> Path:
    """Three layers that see a window, one that sees all."""
    return write_family(folder / "Olmo-3-Tiny-Think", olmo(), shards=2)


def _olmo2(folder: Path) -> Path:
    """All layers see all."""
    return write_family(folder / "OLMo-2-Tiny", olmo(windows=False), dtype="F32")


def _exaone4(folder: Path) -> Path:
    """As the 1.2B: all layers see all. Stretched positions are a tensor."""
    family = exaone4(sliding_window=None, layer_types=["full_attention"] * 4)
    return write_family(folder / "EXAONE-4.0-Tiny", family)


def _exaone4_windows(folder: Path) -> Path:
    """As the 32B, by which number of layers llama.cpp tells models that have windows."""
    return write_family(folder / "EXAONE-4.0-Windows", exaone4(), dtype="F16")


def _gemma4(folder: Path) -> Path:
    """As the 31B: wider heads without values of their own in the layers that see all."""
    family = gemma4(full_kv_heads=1, vision=True)
    return write_family(folder / "gemma-4-tiny-it", family, tokenizer=piece_tokenizer(), shards=2)


def _gemma4_moe(folder: Path) -> Path:
    """As 26B-A4B: experts beside an MLP."""
    family = gemma4(experts=4, full_kv_heads=1)
    return write_family(folder / "gemma-4-tiny-A1B", family, tokenizer=piece_tokenizer())


def _gemma4_small(folder: Path) -> Path:
    """As E2B: numbers of each token for each layer, keys that later layers share."""
    family = gemma4(per_layer=32, shared=2)
    return write_family(folder / "gemma-4-E1B", family, tokenizer=piece_tokenizer(), dtype="F16")


def _nemotron_h(folder: Path) -> Path:
    """As Nano 2: Mamba, attention and MLPs, each a layer of its own. Three shards; the seed is
    one with which torch rounds its exponentials to the nearest numbers.
    """
    return write_family(folder / "Nemotron-Tiny-v2", nemotron_h(), shards=3, seed=1)


def _nemotron_h_moe(folder: Path) -> Path:
    """As 3 Nano: twelve experts, one that sees all; the router's bias in F32."""
    family = nemotron_h(pattern="ME*EM", experts=12)
    return write_family(
        folder / "Nemotron-3-Tiny", family, tensors=_exact_bias(family, seed=1), shards=3
    )


def _nemotron_h_latent(folder: Path) -> Path:
    """As 3 Super: experts that see less than all, a block that predicts a token more; F16."""
    family = nemotron_h(pattern="M*E", experts=5, latent=96, following=1)
    tensors = _exact_bias(family, "F16")
    return write_family(folder / "Nemotron-3-Tiny-Super", family, tensors=tensors)


def _exact_bias(family: Family, dtype: str = "BF16", seed: int = 0) -> dict[str, tuple[str, Any]]:
    """Random weights, with the router's bias in F32 as it is published."""
    found = {
        name: (dtype, values) for name, values in random_tensors(family.shapes, dtype, seed).items()
    }
    for name, values in random_tensors(family.shapes, "F32", seed).items():
        if name.endswith("e_score_correction_bias"):
            found[name] = ("F32", values)
    return found


def _llama(folder: Path) -> Path:
    """Stretched positions, rows interleaved, biases everywhere, a template that adds bos."""
    return write_checkpoint(
        folder / "DeepSeek-R1-Distill-Llama-8B",
        "llama",
        Shape(heads=8, kv_heads=2, context=131072),
        tokenizer=byte_tokenizer(
            regex=LLAMA3_REGEX,
            ignore_merges=True,
            special=("<|begin|>", "<|end|>"),
            post_processor=_template([_BOS, _A], [_BOS, _A, _BOS, _B]),
            tokenizer_class="PreTrainedTokenizerFast",
            bos_token=_added("<|begin|>"),
            eos_token=_added("<|end|>"),
            pad_token=_added("<|end|>"),
            add_bos_token=True,
            add_prefix_space=None,
        ),
        rope_theta=500000.0,
        rope_scaling=_LLAMA3_SCALING,
        attention_bias=True,
        mlp_bias=True,
        bos_token_id=278,
        eos_token_id=[279, 278],
    )


def _llama_plain(folder: Path) -> Path:
    """Little said in config.json, linear scaling, a template that adds an end."""
    return write_checkpoint(
        folder / "my finetune",
        "llama",
        Shape(heads=4, kv_heads=4, layers=1),
        dtype="F16",
        tokenizer=byte_tokenizer(
            regex=LLAMA3_REGEX,
            special=("<|begin|>", "<|end|>"),
            post_processor=_template([_BOS, _A, _EOS], [_BOS, _A, _EOS, _B, _EOS]),
            tokenizer_class="PreTrainedTokenizerFast",
            bos_token="<|begin|>",
            eos_token="<think>",
            additional_special_tokens=["</think>"],
            pad_token=None,
            add_bos_token=None,
            chat_template=[
                {"name": "default", "template": CHAT_TEMPLATE},
                {"name": "rag-2", "template": "{{ documents }}"},
            ],
        ),
        num_key_value_heads=None,
        rope_theta=None,
        rms_norm_eps=None,
        max_position_embeddings=None,
        rope_scaling={"type": "linear", "factor": 2.0},
    )


CASES: dict[str, Callable[[Path], Path]] = {
    "qwen2": _qwen2,
    "qwen2-vocabulary": _qwen2_vocabulary,
    "qwen3": _qwen3,
    "qwen3moe": _qwen3moe,
    "qwen3moe-fp8": _qwen3moe_fp8,
    "qwen3-fp8": _qwen3_fp8,
    "qwen2-fp8-rows": partial(_compressed, dtype="F8_E4M3", form="float-quantized", kind="float"),
    "qwen2-int8-rows": partial(_compressed, dtype="I8", form="int-quantized", kind="int"),
    "qwen2-gptq": partial(_gptq, bits=4, form="gptq", ordered=True),
    "qwen2-gptq-8": partial(_gptq, bits=8, form="gptq_v2"),
    "llama-w4a16": partial(_w4a16, bits=4, zeros=True),
    "llama-w8a16": partial(_w4a16, bits=8, zeros=False),
    "deepseek": _deepseek,
    "deepseek-fp8": _deepseek_fp8,
    "glm-flash": _glm_flash,
    "gpt-oss": _gpt_oss,
    "gpt-oss-bf16": _gpt_oss_bf16,
    "qwen35": _qwen35,
    "qwen35-text": _qwen35_text,
    "qwen35moe": _qwen35moe,
    "qwen3next": _qwen3next,
    "llama": _llama,
    "llama-plain": _llama_plain,
    "glm4moe": _glm4moe,
    "glm4moe-norms": _glm4moe_norms,
    "seed-oss": _seed_oss,
    "smollm3": _smollm3,
    "phi3": _phi3,
    "phi3-long": _phi3_long,
    "ministral3": _ministral3,
    "magistral": _magistral,
    "magistral-tekken": _tekken,
    "olmo3": _olmo3,
    "olmo2": _olmo2,
    "exaone4": _exaone4,
    "exaone4-windows": _exaone4_windows,
    "gemma4": _gemma4,
    "gemma4-moe": _gemma4_moe,
    "gemma4-small": _gemma4_small,
    "nemotron-h": _nemotron_h,
    "nemotron-h-moe": _nemotron_h_moe,
    "nemotron-h-latent": _nemotron_h_latent,
}
# The converter knows no fingerprint of the tiny vocabularies; make.py hands it the name.
PRE_TOKENIZERS = {
    "qwen2": "qwen2",
    "qwen3": "qwen2",
    "qwen3moe": "qwen2",
    "qwen3moe-fp8": "qwen2",
    "qwen3-fp8": "qwen2",
    "qwen2-fp8-rows": "qwen2",
    "qwen2-int8-rows": "qwen2",
    **dict.fromkeys(("qwen2-gptq", "qwen2-gptq-8", "llama-w4a16", "llama-w8a16"), "qwen2"),
    "deepseek": "qwen2",
    "deepseek-fp8": "qwen2",
    "glm-flash": "glm4",
    "gpt-oss": "qwen2",
    "gpt-oss-bf16": "qwen2",
    "qwen35": "qwen2",
    "qwen35-text": "qwen2",
    "qwen35moe": "qwen2",
    "qwen3next": "qwen2",
    "llama": "llama-bpe",
    "llama-plain": "smaug-bpe",
    "glm4moe": "glm4",
    "glm4moe-norms": "glm4",
    "seed-oss": "qwen2",
    "smollm3": "qwen2",
    "phi3": "qwen2",
    "phi3-long": "qwen2",
    "ministral3": "qwen2",
    "magistral": "qwen2",
    "olmo3": "qwen2",
    "olmo2": "qwen2",
    "exaone4": "qwen2",
    "exaone4-windows": "qwen2",
    "nemotron-h": "qwen2",
    "nemotron-h-moe": "qwen2",
    "nemotron-h-latent": "qwen2",
}


# Cases whose record has logits, and how far llama.cpp's may be from Transformers'.
LOGITS = {
    "qwen3moe": 2e-4,
    "deepseek": 2e-4,
    "glm-flash": 2e-4,
    "qwen35": 0.03,  # norms are summed in half precision
    "qwen35-text": 5e-4,
    "qwen35moe": 5e-4,
    "qwen3next": 5e-4,
    "gpt-oss": 0.05,  # llama.cpp rounds what meets MXFP4 weights to eight bits
    **dict.fromkeys(
        (
            *("glm4moe", "glm4moe-norms", "seed-oss", "smollm3", "phi3", "phi3-long"),
            *("ministral3", "magistral", "olmo3", "olmo2", "exaone4"),
            *("nemotron-h", "nemotron-h-moe"),
        ),
        5e-4,
    ),
    "nemotron-h-latent": 1e-3,
    # llama.cpp looks its GELU up in a table of half precision.
    "gemma4": 5e-3,
    "gemma4-moe": 0.02,
    "gemma4-small": 0.05,
    "gpt-oss-bf16": 5e-3,  # llama.cpp rounds where the stretching of positions begins and ends
}
TOKENS = (5, 278, 41, 263, 77, 281, 8, 122, 290, 3, 19)


def describe_key(key: str, kind: str, element: str | None, value: Any) -> dict[str, Any]:
    """One metadata entry of a record; long arrays as their length and digest."""
    entry: dict[str, Any] = {"key": key, "type": kind}
    if element is not None:
        entry["element"] = element
        value = list(value)
        if len(value) > _LISTED:
            entry["count"] = len(value)
            entry["sha256"] = _digest(json.dumps(value, ensure_ascii=True).encode())
            return entry
    return entry | {"value": value}


def describe_tensor(name: str, shape: Iterable[int], kind: str, data: bytes) -> dict[str, Any]:
    """One tensor of a record, `shape` with the length of a row first."""
    return {"name": name, "shape": [int(n) for n in shape], "type": kind, "sha256": _digest(data)}


def load_golden(case: str) -> dict[str, Any]:
    """The record of a case."""
    record: dict[str, Any] = json.loads((GOLDEN / f"{case}.json").read_text(encoding="utf-8"))
    return record


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
