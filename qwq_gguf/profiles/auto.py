"""Which shipped profile fits a model, by what its GGUF says about itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from qwq_gguf.metadata import KeyValue

__all__ = ["Choice", "choose_profile"]

_NAME_KEYS = (
    "general.name",
    "general.basename",
    "general.finetune",
    "general.base_model.0.name",
    "general.base_model.0.repo_url",
)
_MAX_NAME = 200

# Words in a model's names; the first match wins, so a distilled R1 "of Qwen3" is an R1.
_BY_NAME = (
    ("r1-distill", re.compile(r"r1-?(0528-)?distill|deepseek-?r1")),
    ("qwq", re.compile(r"qwq")),
)
# DeepSeek writes its tokens with full-width bars.
_DEEPSEEK = "<\uff5cAssistant\uff5c>"


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile's name, and why it."""

    profile: str
    reason: str


def choose_profile(metadata: Mapping[str, KeyValue]) -> Choice:
    """Choose by the model's names, then its architecture and chat template.

    Whatever thinks and is nothing else is run as QwQ is; what shows no sign of thinking
    gets llama.cpp's defaults.
    """
    template = _text(metadata, "tokenizer.chat_template")
    thinks = "</think>" in template or "<think>" in template
    for profile, pattern in _BY_NAME:
        for key in _NAME_KEYS:
            name = _text(metadata, key)[:_MAX_NAME]
            if pattern.search(re.sub(r"[\s_]+", "-", name.lower())):
                return Choice(profile, f"{key} is {name}")
    if not thinks:
        return Choice("llama-cpp", "its chat template has no <think>, nothing says it reasons")
    if _DEEPSEEK in template:
        return Choice("r1-distill", "its chat template is DeepSeek's, with thoughts")
    architecture = _text(metadata, "general.architecture")[:_MAX_NAME]
    if architecture.startswith("qwen3"):
        return Choice("qwen3-thinking", f"it is a {architecture} model whose template has <think>")
    return Choice("qwq", "its chat template has <think>")


def _text(metadata: Mapping[str, KeyValue], key: str) -> str:
    entry = metadata.get(key)
    return entry.value if entry is not None and isinstance(entry.value, str) else ""
