"""Any value of any JSON file replaced by junk: a typed error, or a conversion."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwq_gguf.checkpoint import Checkpoint, TensorInfo
from qwq_gguf.conversion import convert
from qwq_gguf.conversion.architectures import ARCHITECTURES as KNOWN
from qwq_gguf.errors import SourceError
from support.checkpoints import Shape, byte_tokenizer, config_of, tensor_shapes
from support.family_checkpoints import deepseek_v3, gpt_oss, qwen35
from support.gemma_family import gemma4, piece_tokenizer
from support.nemotron_family import nemotron_h
from support.plain_families import exaone4, glm4_moe, mistral3, olmo, phi3, seed_oss, smollm3
from support.special_tokens import template

JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**70,
    10**400,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\ud800",
    "\0",
    "yarn",
    "llama3",
    "a" * 70_000,
    [],
    [None],
    [[]],
    [1, "a"],
    {},
    {"type": "Sequence"},
    {"content": 5},
    {"": {}},
)
_FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
_ROWS = {
    "quant_method": "compressed-tensors",
    "format": "float-quantized",
    "config_groups": {"a": {"weights": {"num_bits": 8, "strategy": "channel"}}},
}
FAMILIES = {
    "deepseek2": deepseek_v3(experts=4, following=1, quantization_config=_FP8),
    "gpt-oss": gpt_oss(packed=True),
    "qwen35": qwen35(vision=True, following=1, quantization_config=_ROWS),
    "qwen35moe": qwen35(kind="qwen3_5_moe", experts=2, following=1),
    "qwen3next": qwen35(kind="qwen3_next", experts=2, following=1),
    "glm4moe": glm4_moe(experts=4, head_norms=True),
    "seed_oss": seed_oss(),
    "smollm3": smollm3(),
    "phi3": phi3(
        original_max_position_embeddings=4096,
        rope_scaling={
            "type": "longrope",
            "long_factor": [1.5] * 32,
            "short_factor": [1] * 32,
        },
    ),
    "mistral3": mistral3(),
    "olmo2": olmo(),
    "exaone4": exaone4(),
    "nemotron_h": nemotron_h(pattern="M-*"),
    "nemotron_h_moe": nemotron_h(pattern="M*E", experts=5, latent=96, following=1),
    "gemma4": gemma4(experts=2, full_kv_heads=1, per_layer=32, shared=1, vision=True),
}
# Plain decoders by their name in a GGUF and in config.json.
PLAIN: Any = {"qwen2": "qwen2", "qwen3": "qwen3", "qwen3moe": "qwen3_moe", "llama": "llama"}
ARCHITECTURES = (*PLAIN, *FAMILIES)
PARTS = ("config", "tokenizer", "tokenizer_config", "generation_config", "card")


@cache
def checkpoint(architecture: str) -> Checkpoint:
    """A whole checkpoint in memory: nothing here needs the weights."""
    shape = Shape(
        hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=32, vocab=320,
        experts=2 if architecture == "qwen3moe" else 0,
    )  # fmt: skip
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1, "high_freq_factor": 4}
    if architecture in FAMILIES:
        family = FAMILIES[architecture]
        config, shapes = family.config, family.shapes
    else:
        config = config_of(
            PLAIN[architecture],
            shape,
            rope_scaling=scaling if architecture == "llama" else {"type": "yarn", "factor": 4.0},
            bos_token_id=278,
            eos_token_id=[280],
            _name_or_path="org/Name-7B-v1",
        )
        shapes = tensor_shapes(PLAIN[architecture], shape, config)
    processor = template("<|im_start|>", "A", pair=("<|im_start|>", "A", "<|im_end|>", "B"))
    tokenizer, tokenizer_config = byte_tokenizer(
        post_processor={"type": "Sequence", "processors": [{"type": "ByteLevel"}, processor]},
        bos_token={"content": "<|im_start|>"},
    )
    if architecture == "gemma4":
        tokenizer, tokenizer_config = piece_tokenizer()
    return Checkpoint(
        source="x",
        name="Name",
        folder=Path("x"),
        config=config,
        tensors={
            name: TensorInfo(
                name,
                "U8" if name.endswith(("_blocks", "_scales")) else "BF16",
                size,
                Path("x/model.safetensors"),
                0,
                0,
            )
            for name, size in shapes.items()
        },
        tokenizer=tokenizer,
        tokenizer_config=tokenizer_config,
        generation_config={"temperature": 0.6, "top_k": 40, "sequence": "top_k"},
        card={"base_model": ["a/b-7B"], "license": ["mit"], "tags": "a", "datasets": "c"},
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values, of the first few where there are hundreds alike."""
    yield path
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, inner in items[:40]:
        yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    changed = copy.deepcopy(value)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = junk
    return changed


def encoded(broken: Checkpoint) -> None:
    """Convert, down to the header's bytes; nothing but a SourceError may come of it."""
    try:
        conversion = convert(broken)
    except SourceError:
        return
    for entry in conversion.converter_metadata(0):
        values = [entry.value] if entry.element is None else entry.items
        for value in values:
            assert not isinstance(value, str) or value.encode("utf-8") is not None


def test_every_architecture_is_whole_before() -> None:
    assert set(ARCHITECTURES) == {each.name for each in KNOWN}
    for architecture in ARCHITECTURES:
        assert convert(checkpoint(architecture)).architecture == architecture


@settings(max_examples=1500)
@given(data=st.data())
def test_one_value_of_junk(data: st.DataObject) -> None:
    whole = checkpoint(data.draw(st.sampled_from(ARCHITECTURES)))
    part = data.draw(st.sampled_from(PARTS))
    value = getattr(whole, part)
    path = data.draw(st.sampled_from(sorted(filter(None, places(value)), key=str)))
    junk = data.draw(st.sampled_from(JUNK))
    encoded(replace(whole, **{part: replaced(value, path, junk)}))


@pytest.mark.parametrize("part", PARTS)
def test_nothing_at_all(part: str) -> None:
    nothing: dict[str, Any] = {part: {}}
    encoded(replace(checkpoint("qwen2"), **nothing))


@pytest.mark.parametrize("junk", ["\ud800", "a" * 10**6, "\0"])
def test_names_and_templates_of_junk(junk: str) -> None:
    whole = checkpoint("qwen2")
    changes: list[dict[str, Any]] = [
        {"name": junk},
        {"organization": junk},
        {"chat_template": junk},
        {"chat_templates": {junk: "a"}},
        {"chat_templates": {"a": junk}},
    ]
    for change in changes:
        encoded(replace(whole, **change))
