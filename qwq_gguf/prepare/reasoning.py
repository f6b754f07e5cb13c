"""Whether a model thinks, and whose settings it should then carry."""

from __future__ import annotations

from collections.abc import Mapping

from qwq_gguf.metadata import KeyValue
from qwq_gguf.prepare.template import check_template
from qwq_gguf.profiles import Choice, ThinkingTags, choose_profile

__all__ = ["TEMPLATE_KEY", "choose_for"]

TEMPLATE_KEY = "tokenizer.chat_template"
_NOT_REASONING = "llama-cpp"


def choose_for(metadata: Mapping[str, KeyValue]) -> Choice | None:
    """The profile for a reasoning model, None for others.

    A model reasons when it is of a known family (its names, or the template of one), or when
    its template's generation prompt opens a thought. Merely naming `<think>` is not enough:
    ordinary models have templates that strip thoughts, too.
    """
    choice = choose_profile(metadata)
    if choice.profile == _NOT_REASONING:
        return None
    named = choose_profile({key: e for key, e in metadata.items() if key != TEMPLATE_KEY})
    if named.profile != _NOT_REASONING or choice.profile != "qwq":
        return choice
    entry = metadata.get(TEMPLATE_KEY)
    template = entry.value if entry is not None and isinstance(entry.value, str) else ""
    if not check_template(template, ThinkingTags()).opens_thought:
        return None
    return Choice(choice.profile, "its chat template's generation prompt opens a thought")
