"""YaRN in a GGUF: longer contexts than a model was trained for.

Peng et al., "YaRN: Efficient Context Window Extension of Large Language Models",
https://arxiv.org/abs/2309.00071. llama.cpp reads the keys of `rope.scaling` and applies
them to every text, short ones too; the attention factor 1 + 0.1 ln(factor) it adds itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from qwq_gguf.errors import ConfigError
from qwq_gguf.metadata import KeyValue, f32, text, u32

__all__ = ["Stretched", "stretch"]

_MOST = 32.0
# Qwen2.5 was trained at this length whatever its config.json says a server may take.
_TRAINED = {"qwen2": 32768}
_LONG = 8192  # tokens of a prompt from which QwQ's card asks for it
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
    if not (math.isfinite(factor) and 1 <= factor <= _MOST):
        raise ConfigError(
            "the YaRN factor makes no sense", found=f"{factor:g}", expected=f"1 to {_MOST:g}"
        )
    architecture = _value(metadata, "general.architecture")
    context = _value(metadata, f"{architecture}.context_length")
    if not isinstance(architecture, str) or not isinstance(context, int) or context < 1:
        raise ConfigError("the file does not say its architecture and context length")
    prefix = f"{architecture}.rope.scaling."
    kind = _value(metadata, f"{prefix}type")
    if kind not in (None, "none", "yarn"):
        raise ConfigError(
            "the file stretches its context in another way",
            found=str(kind)[:40],
            expected="none or yarn",
        )
    original = _value(metadata, f"{prefix}original_context_length")
    if not isinstance(original, int) or original < 1:
        # 40960 is 32768 and room for a reply: positions are trained in powers of two.
        original = 1 << (context.bit_length() - 1)
        original = min(original, _TRAINED.get(architecture, original))
    removed = tuple(key for name in _SCALING if (key := prefix + name) in metadata)
    if factor == 1:
        return Stretched((u32(f"{architecture}.context_length", original),), removed, ())
    longer = int(original * factor)
    if longer >= 1 << 31:
        raise ConfigError("the context would be absurdly long", found=longer)
    entries = (
        text(f"{prefix}type", "yarn"),
        f32(f"{prefix}factor", factor),
        u32(f"{prefix}original_context_length", original),
        u32(f"{architecture}.context_length", longer),
    )
    notes = (
        f"YaRN stretches {original} positions to {longer}",
        "warning: YaRN acts on every text, and may make short ones worse: use it when prompts "
        f"are longer than about {min(_LONG, original)} tokens, and --yarn 1 takes it out again",
    )
    return Stretched(entries, tuple(k for k in removed if k.endswith("attn_factor")), notes)


def _value(metadata: Mapping[str, KeyValue], key: str) -> object:
    entry = metadata.get(key)
    return None if entry is None or isinstance(entry.value, bool) else entry.value
