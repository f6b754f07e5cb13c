"""Every way in which a checkpoint may name its special tokens, crossed with every other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.checkpoints import Shape, byte_tokenizer, write_checkpoint

__all__ = ["BOS", "SPECIAL_KEYS", "special_case", "special_cases", "template"]

BOS, EOS, START = "<|endoftext|>", "<|im_end|>", "<|im_start|>"

SPECIAL_KEYS = frozenset(
    f"ggml.{name}"
    for name in (
        *(f"add_{kind}_token" for kind in ("bos", "eos", "sep")),
        *(f"{kind}_token_id" for kind in ("bos", "eos", "eot", "eom", "mask")),
        *("padding_token_id", "seperator_token_id", "unknown_token_id"),
    )
)


def template(*single: str, pair: tuple[str, ...] = ()) -> dict[str, Any]:
    """A TemplateProcessing; A and B are the texts, everything else special tokens."""

    def part(name: str) -> dict[str, Any]:
        kind = "Sequence" if name in ("A", "B") else "SpecialToken"
        return {kind: {"id": name, "type_id": 0}}

    return {
        "type": "TemplateProcessing",
        "single": [part(name) for name in single],
        "pair": [part(name) for name in pair],
    }


_CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "adds": {"bos_token": BOS, "add_bos_token": True, "add_eos_token": False},
    "objects": {"bos_token": {"content": BOS}, "eos_token": {"content": EOS}, "pad_token": {}},
    "roles of BERT": {"cls_token": BOS, "sep_token": EOS, "eos_token": None},
    "unknown text": {"unk_token": "<nowhere>", "mask_token": EOS},
    "wrong types": {"eos_token": 5, "add_bos_token": "yes"},
}
_POST_PROCESSORS: dict[str, dict[str, Any]] = {
    "none": {"type": "Other"},
    "bytes": {"type": "ByteLevel"},
    "bos": template(BOS, "A"),
    "eos": template("A", EOS),
    "both": template(BOS, "A", EOS, pair=(BOS, "A", EOS, "B", EOS)),
    "bos twice": template(BOS, "A", pair=(BOS, "A", BOS, "B")),
    "separator": template("A", pair=("A", EOS, "B")),
    "two separators": template("A", pair=("A", EOS, EOS, "B")),
    "other tokens": template(START, "A", "<think>"),
    "sequence": {
        "type": "Sequence",
        "processors": [{"type": "ByteLevel"}, template(BOS, "A")],
    },
}


def special_cases() -> list[str]:
    """The names of all cases."""
    return [f"{config} / {processor}" for config in _CONFIGS for processor in _POST_PROCESSORS]


def special_case(folder: Path, name: str) -> Path:
    """Write one case."""
    config, _, processor = name.partition(" / ")
    tokenizer = byte_tokenizer(
        post_processor=_POST_PROCESSORS[processor],
        **({"add_bos_token": None, "add_prefix_space": None} | _CONFIGS[config]),
    )
    return write_checkpoint(
        folder / "model",
        "qwen2",
        Shape(hidden=32, layers=1, heads=2, kv_heads=1, feed_forward=32),
        tokenizer=tokenizer,
        bos_token_id=279,
        eos_token_id=[280, 278],
        pad_token_id=278,
    )
