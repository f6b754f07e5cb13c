"""YaRN in a GGUF: longer contexts than a model was trained for.

llama.cpp reads the keys of `rope.scaling` and applies them to every text, short ones too; the
attention factor 1 + 0.1 ln(factor) it adds itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qwq_gguf.gguf_file.yarn import yarn_of
from qwq_gguf.metadata import KeyValue, f32, text, u32

__all__ = ["Stretched", "stretch"]

_SCALING = ("type", "factor", "original_context_length", "attn_factor", "finetuned")


@dataclass(frozen=True, slots=True)
class Stretched:
    """Entries to set, keys to remove, and sentences for the user."""

    entries: tuple[KeyValue, ...]
    removed: tuple[str, ...]
    notes: tuple[str, ...]


def stretch(metadata: Mapping[str, KeyValue], factor: float) -> Stretched:
    """Stretch a model's context by `factor`, counted from the length it was trained at;
    a factor of 1 takes YaRN out again.

    ConfigError when the factor is out of range or the file is scaled in another way.
    """
    yarn = yarn_of(metadata, factor)
    architecture, original = yarn.architecture, yarn.original
    prefix = f"{architecture}.rope.scaling."
    removed = tuple(key for name in _SCALING if (key := prefix + name) in metadata)
    if factor == 1:
        return Stretched((u32(f"{architecture}.context_length", original),), removed, ())
    entries = (
        text(f"{prefix}type", "yarn"),
        f32(f"{prefix}factor", factor),
        u32(f"{prefix}original_context_length", original),
        u32(f"{architecture}.context_length", yarn.length),
    )
    notes = (
        f"YaRN stretches {original} positions to {yarn.length}",
        "warning: YaRN acts on every text, and may make short ones worse: use it when prompts "
        f"are longer than about {yarn.worth} tokens, and --yarn 1 takes it out again",
    )
    return Stretched(entries, tuple(k for k in removed if k.endswith("attn_factor")), notes)
