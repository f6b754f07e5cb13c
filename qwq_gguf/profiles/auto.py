"""Which shipped profile fits a model, by what its GGUF says about itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from qwq_gguf.chat.of_file import template_of
from qwq_gguf.metadata import KeyValue
from qwq_gguf.thinking import ThoughtForm, ThoughtStart, form_of

__all__ = ["Choice", "choose_profile", "family_of"]

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
# Architectures of one family each: a longer name that begins so is another family.
_BY_ARCHITECTURE = {"qwen3": "qwen3-thinking", "qwen3moe": "qwen3-thinking"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A profile's name, and why it.

    `profile` is None for a model that no shipped profile is made for: then only what its
    file says counts. `kin`: the model's names name the family that the profile is made for.
    To another model that thinks it only lends what the author leaves open.
    """

    profile: str | None
    reason: str
    kin: bool = False


def family_of(metadata: Mapping[str, KeyValue]) -> tuple[str, str] | None:
    """The profile of the reasoning family that a model's names name, and the reason."""
    for profile, pattern in _BY_NAME:
        for key in _NAME_KEYS:
            name = _text(metadata, key)[:_MAX_NAME]
            if pattern.search(re.sub(r"[\s_]+", "-", name.lower())):
                return profile, f"{key} is {name}"
    return None


def choose_profile(metadata: Mapping[str, KeyValue], *, thinking: bool | None = None) -> Choice:
    """Choose by the model's names, then by what its chat template does about thoughts.

    `thinking` is whether thoughts are turned on or off; None for the template's default.
    Whatever thinks and is nothing else is run as QwQ is, with the numbers that its author
    gives. What does not think has none of our numbers.
    """
    form, family = form_of(metadata), family_of(metadata)
    if family is not None and form.start(True) is not _CLOSED:
        return Choice(*family, kin=True)
    if not _thinks(form, thinking):
        return Choice(None, _why_not(form, thinking))
    if _DEEPSEEK in (template_of(metadata) or ""):
        return Choice("r1-distill", "its chat template is DeepSeek's, with thoughts")
    architecture = _text(metadata, "general.architecture")[:_MAX_NAME]
    profile = _BY_ARCHITECTURE.get(architecture)
    if profile is not None:
        return Choice(profile, f"it is a {architecture} model that thinks, by its chat template")
    return Choice("qwq", "its chat template says that it thinks")


_CLOSED = ThoughtStart.CLOSED


def _thinks(form: ThoughtForm, thinking: bool | None) -> bool:
    if thinking is None:
        return form.thinks
    return thinking and form.can_think and form.start(True) is not _CLOSED


def _why_not(form: ThoughtForm, thinking: bool | None) -> str:
    if thinking is False:
        return "thoughts are turned off"
    if form.start(thinking) is _CLOSED:
        return "its chat template closes the thought before the reply begins"
    return "nothing says that it thinks"


def _text(metadata: Mapping[str, KeyValue], key: str) -> str:
    entry = metadata.get(key)
    return entry.value if entry is not None and isinstance(entry.value, str) else ""
