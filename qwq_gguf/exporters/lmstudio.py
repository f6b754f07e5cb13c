"""A profile for LM Studio: a virtual model, a preset, and the defaults of one file.

Keys and values follow the config schema in the npm package @lmstudio/sdk; the forms of the
three files are LM Studio's documentation (model.yaml, presets) and, for the defaults of
one file, what it writes itself. Nothing there sets the samplers' order or the penalties'
window: LM Studio runs llama.cpp, which takes both from the GGUF.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from qwq_gguf.chat.tool_place import has_tool_place
from qwq_gguf.errors import ExportError
from qwq_gguf.exporters.exported import Export, slug
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.forbidding import spoken_biases, spoken_grammar
from qwq_gguf.exporters.lmstudio_hub import VirtualModel
from qwq_gguf.exporters.runtime_words import Flat, RuntimeWords, flatten
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile

__all__ = ["WORDS", "export", "load_fields", "operation_fields", "split_user_repo"]

_PREDICTION = "llm.prediction."
WORDS = RuntimeWords(
    "LM Studio",
    {
        "logit_bias": "llama.logitBias",
        "grammar": "structured",
        "repeat_penalty": "repeatPenalty",
        "frequency_penalty": "llama.frequencyPenalty",
        "presence_penalty": "llama.presencePenalty",
        "top_k": "topKSampling",
        "typical_p": "llama.locallyTypicalSampling",
        "top_p": "topPSampling",
        "min_p": "minPSampling",
        "xtc_probability": "llama.xtcProbability",
        "xtc_threshold": "llama.xtcThreshold",
        "temperature": "temperature",
        "stops": "stopStrings",
        "context": "llm.load.contextLength",
        "thinking": "reasoning.parsing",
        "thought_budget": "reasoning.budgetTokens",
    },
    carried=frozenset({"order", "penalty_window", "template"}),
)
# Numbers behind a check box, which is off where they are neutral.
_CHECKED = (
    "top_p",
    "min_p",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "typical_p",
    "xtc_probability",
    "xtc_threshold",
)
_MOST_TOP_K = 500
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")
_MOST_NAME = 96


def operation_fields(
    profile: Profile, facts: GgufFacts, *, system: str | None = None
) -> list[dict[str, Any]]:
    """What acts on each reply, as `{key, value}` pairs."""
    flat = flatten(profile, facts.room)
    fields: list[tuple[str, object]] = []
    if flat.says("temperature"):
        fields.append(("temperature", flat.number("temperature")))
    if flat.says("top_k"):
        # 0 switches it off in llama.cpp; the field goes no further than 500.
        fields.append(("topKSampling", min(int(flat.number("top_k")), _MOST_TOP_K)))
    fields += [(WORDS.names[name], _checked(name, flat)) for name in _CHECKED if flat.says(name)]
    if biases := spoken_biases(profile, facts).by_id:
        said = [[token, "-inf" if bias == -math.inf else bias] for token, bias in biases]
        fields.append(("llama.logitBias", said))
    if (grammar := spoken_grammar(profile, facts)) is not None:
        fields.append(("structured", {"type": "gbnf", "gbnfGrammar": grammar}))
    if profile.stops:
        fields.append(("stopStrings", list(profile.stops)))
    thoughts = spoken_thoughts(profile, facts)
    if thoughts.tags is not None and thoughts.tags.channels is None:
        tags = {"startString": thoughts.tags.open, "endString": thoughts.tags.close}
        fields.append(("reasoning.parsing", {"enabled": True, **tags}))
    if thoughts.possible and thoughts.budget is not None:
        fields.append(("reasoning.budgetTokens", {"checked": True, "value": thoughts.budget}))
    if system:
        fields.append(("systemPrompt", system))
    return [{"key": _PREDICTION + key, "value": value} for key, value in fields]


def _checked(name: str, flat: Flat) -> dict[str, object]:
    return {"checked": not flat.is_neutral(name), "value": flat.number(name)}


def load_fields(profile: Profile, facts: GgufFacts) -> list[dict[str, Any]]:
    """What acts when the model is loaded."""
    fields: list[tuple[str, object]] = [("contextLength", flatten(profile, facts.room).tokens)]
    if facts.fitted is not None:
        fields += facts.fitted.lmstudio()
    return [{"key": f"llm.load.{key}", "value": value} for key, value in fields]


def split_user_repo(text: str) -> tuple[str, str]:
    """`publisher/model`, each a plain folder name. ExportError for anything else."""
    publisher, slash, model = text.partition("/")
    if not slash or not all(_NAME.fullmatch(part) for part in (publisher, model)):
        raise ExportError(
            "not a publisher and a model",
            found=text,
            expected="publisher/model, of letters, digits, dots, dashes and underscores",
        )
    return publisher, model


def _short(text: str) -> str:
    return slug(text)[:_MOST_NAME].strip("-")


def export(
    profile: Profile,
    facts: GgufFacts,
    *,
    user_repo: str | None = None,
    system: str | None = None,
) -> Export:
    """A virtual model (`model.yaml`, `manifest.json`), `NAME.preset.json` and `FILE.gguf.json`.

    `user_repo` is where the file lies, or will lie, in LM Studio's models folder.
    """
    publisher, model = split_user_repo(user_repo or f"local/{_short(facts.name)}")
    operation = {"fields": operation_fields(profile, facts, system=system)}
    load = {"fields": load_fields(profile, facts)}
    name = f"{profile.name} for {facts.name}"
    preset = {"identifier": f"@local:{_short(name)}", "name": name, "operation": operation}
    defaults = {"preset": "", "operation": operation, "load": load}
    thoughts = spoken_thoughts(profile, facts)
    virtual = VirtualModel(publisher, model, f"{facts.name}-{profile.name}")
    unsaid = [
        *WORDS.unsaid(profile, facts.sampling),
        *spoken_biases(profile, facts).unsaid,
        *thoughts.unsaid,
        *thoughts.by_itself("LM Studio"),
        *thoughts.untold("of these files model.yaml alone says it"),
    ]
    flat = flatten(profile, facts.room)
    asked = int(flat.number("top_k"))
    if flat.says("top_k") and asked > _MOST_TOP_K:
        unsaid.append(f"top k {asked}: LM Studio's goes up to {_MOST_TOP_K}, which is written")
    return Export(
        "lmstudio",
        {
            **virtual.files(
                {"operation": operation, "load": load},
                _metadata(profile, facts),
                _choices(profile, facts),
            ),
            f"{_short(name)}.preset.json": _json(preset),
            f"{facts.filename}.json": _json(defaults),
        },
        WORDS.rows(),
        tuple(unsaid),
        (
            "with --install --user-repo PUBLISHER/MODEL the file and its settings go where",
            "LM Studio looks; or import the preset in its chat sidebar",
        ),
    )


def _metadata(profile: Profile, facts: GgufFacts) -> dict[str, object]:
    found: dict[str, object] = {"domain": "llm"}
    if facts.architecture:
        found["architectures"] = [facts.architecture]
    found["compatibilityTypes"] = ["gguf"]
    if facts.size:
        found["paramsStrings"] = [facts.size]
    if facts.context:
        found["contextLengths"] = [facts.context]
    found["vision"] = False
    found["reasoning"] = spoken_thoughts(profile, facts).possible
    found["trainedForToolUse"] = has_tool_place(facts.template)
    return found


def _choices(profile: Profile, facts: GgufFacts) -> list[dict[str, object]]:
    """The template's own switch, where LM Studio can show one: it knows yes and no."""
    switch = facts.thought.switch
    if switch is None or not (switch.on is True or switch.off is False):
        return []
    return [
        {
            "key": "think",
            "displayName": "Think",
            "description": "Whether the model thinks before it answers",
            "type": "boolean",
            "defaultValue": spoken_thoughts(profile, facts).on,
            "effects": [{"type": "setJinjaVariable", "variable": switch.name}],
        }
    ]


def _json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
