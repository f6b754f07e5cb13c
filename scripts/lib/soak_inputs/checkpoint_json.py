"""Damaged config.json, tokenizer.json, generation_config.json, model card and templates of a
checkpoint: opened, converted, prepared and planned, as a dry run does.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from qwq_gguf.checkpoint import open_checkpoint
from qwq_gguf.conversion import convert
from qwq_gguf.preparation import prepare
from qwq_gguf.quantization import load_recipe, make_plan
from soak_inputs import Trial
from soak_inputs._mutate import damaged_text, damaged_value, endless
from support.chat_templates import CHATML, QWQ
from support.checkpoints import Shape, byte_tokenizer, write_checkpoint
from support.special_tokens import template

__all__ = ["CLASS", "trials"]

CLASS = "checkpoint-json"

_SHAPE = Shape(hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=32, vocab=320)
_CARD = """---
license: mit
base_model: [a/b-7B, c/d]
tags: [x, &a "y", *a]
datasets: {a: &b [1], b: *b}
language: en
---
# A model
"""
_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
    "README.md",
)
_PIECES = (
    '{"', '": ', "[", "]", "{", "}", '"', ",", ":", "null", "1e999", "-", "---\n", "&a ", "*a",
    "!!x",
    "? ", "- ", "\t", "|\n", ">\n", "license: ", "base_model: ", "\\ud800", "\\u0000", "[[[[",
    "{a: ",
)  # fmt: skip


def trials(seed: int) -> Iterator[Trial]:
    """Checkpoints in which one of the small files is damaged."""
    return endless(seed, "file", _run)


def _run(seed: int) -> None:
    rng = random.Random(seed)
    folder, whole = rng.choice(_checkpoints())
    name = rng.choice(_FILES)
    path = folder / name
    try:
        path.write_bytes(_damaged(name, whole[name], rng))
        conversion = convert(open_checkpoint(folder))
        prepared = prepare(conversion)
        plan = make_plan(prepared.conversion, load_recipe("Q4_K_M"))
        json.dumps(plan.to_json())
    finally:
        path.write_text(whole[name], encoding="utf-8")


def _damaged(name: str, whole: str, rng: random.Random) -> bytes:
    if name.endswith(".json") and rng.random() < 0.75:
        return json.dumps(damaged_value(json.loads(whole), rng)).encode()
    return damaged_text(whole, rng, _PIECES).encode("utf-8", "surrogatepass")


@cache
def _checkpoints() -> list[tuple[Path, dict[str, str]]]:
    made = []
    processor = template("<|im_start|>", "A", pair=("<|im_start|>", "A", "<|im_end|>", "B"))
    rope: dict[str, dict[str, Any]] = {
        "qwen2": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512},
        "llama": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1,
            "high_freq_factor": 4,
        },
    }
    for architecture in ("qwen2", "qwen3", "llama"):
        folder = write_checkpoint(
            Path(f"QwQ-{architecture}"),
            architecture,
            _SHAPE,
            tokenizer=byte_tokenizer(
                post_processor={
                    "type": "Sequence",
                    "processors": [{"type": "ByteLevel"}, processor],
                }
            ),
            card=_CARD,
            generation_config={"temperature": 0.6, "top_k": 40, "eos_token_id": [280, 281]},
            rope_scaling=rope.get(architecture),
            _name_or_path="org/QwQ-7B-v1",
        )
        (folder / "chat_template.jinja").write_text(QWQ if architecture == "qwen2" else CHATML)
        made.append((folder, {name: (folder / name).read_text("utf-8") for name in _FILES}))
    return made
