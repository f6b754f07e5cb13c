"""LM Studio: how it runs a file as it stands, and the settings that cure it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qwq_gguf.cures.running import LLAMA_CPP_ORDER, Running, number_of
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.lmstudio import WORDS, load_fields, operation_fields
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile
from qwq_gguf.thinking import ThinkingTags

__all__ = ["cured_settings", "running_in_lmstudio"]

_PREDICTION = "llm.prediction."
_CONTEXT_KEY = "llm.load.contextLength"
# What acts where nothing is set; the repeat penalty is a box that is ticked from the start:
# https://github.com/lmstudio-ai/lmstudio-js/blob/ce511216dd5d8e312e3347dd3d536af0137a9b20/packages/lms-kv-config/src/schema.ts
_DEFAULTS: Mapping[str, float] = {
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.95,
    "min_p": 0.05,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
# What "Reset to Default" sets: https://github.com/lmstudio-ai/lmstudio-bug-tracker/issues/2174
_LEAST_CONTEXT = 4096
_NEUTRAL = {"top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
_MOST_FIELDS = 1000


def running_in_lmstudio(settings: Mapping[str, Any], profile: Profile, facts: GgufFacts) -> Running:
    """How LM Studio runs the file; `settings` is its JSON for it, empty for none."""
    operation, load = (_fields(settings, part) for part in ("operation", "load"))
    said = {
        name: number
        for name in _DEFAULTS
        if (number := _number(name, operation.get(_PREDICTION + WORDS.names[name]))) is not None
    }
    context = number_of(load.get(_CONTEXT_KEY))
    tags = spoken_thoughts(profile, facts).tags
    parsing = operation.get(f"{_PREDICTION}reasoning.parsing")
    if isinstance(parsing, dict) and tags is not None:
        seen = parsing.get("enabled") is True and parsing.get("startString") == tags.open
    else:
        seen = tags is None or tags.open == ThinkingTags().open
    return Running(
        "LM Studio",
        {**_DEFAULTS, **said},
        frozenset(said),
        context=int(context) if context and context > 0 else None,
        context_least=_LEAST_CONTEXT,
        context_default=f"LM Studio takes {_LEAST_CONTEXT:,} tokens "
        "unless its own settings say more",
        bound=_ticked(operation.get(f"{_PREDICTION}maxPredictedTokens")),
        budget=_ticked(operation.get(f"{_PREDICTION}reasoning.budgetTokens")),
        order=facts.sampling.order or LLAMA_CPP_ORDER,
        sees_thoughts=seen,
    )


def cured_settings(settings: Mapping[str, Any], profile: Profile, facts: GgufFacts) -> str:
    """The file's JSON with ours in the place of what it says of the same keys; the rest stays."""
    operation = _merged(settings, "operation", operation_fields(profile, facts))
    load = _merged(settings, "load", load_fields(profile, facts))
    made = {"preset": "", **settings, "operation": operation, "load": load}
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def _merged(
    settings: Mapping[str, Any], part: str, ours: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    there = settings.get(part)
    kept = dict(there) if isinstance(there, dict) else {}
    keys = {field["key"] for field in ours}
    fields = [entry for entry in _entries(settings, part) if entry.get("key") not in keys]
    return {**kept, "fields": [*fields, *ours]}


def _entries(settings: Mapping[str, Any], part: str) -> Iterator[Mapping[str, Any]]:
    there = settings.get(part)
    fields = there.get("fields") if isinstance(there, dict) else None
    for entry in fields[:_MOST_FIELDS] if isinstance(fields, list) else ():
        if isinstance(entry, dict):
            yield entry


def _fields(settings: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {
        entry["key"]: entry.get("value")
        for entry in _entries(settings, part)
        if isinstance(entry.get("key"), str)
    }


def _number(name: str, value: Any) -> float | int | None:
    """A number, or one behind a box: not ticked, it is neutral."""
    if not isinstance(value, dict):
        return number_of(value)
    if value.get("checked") is False:
        return _NEUTRAL.get(name, 0.0)
    return number_of(value.get("value"))


def _ticked(value: Any) -> int | None:
    if not isinstance(value, dict) or value.get("checked") is not True:
        return None
    number = number_of(value.get("value"))
    return int(number) if number is not None and number > 0 else None
