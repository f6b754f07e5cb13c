"""A profile for text-generation-webui: a preset, and an entry of its per-model settings.

Read in its sources: modules/presets.py, modules/llama_cpp_server.py (which runs
llama-server and sends the order along), modules/models_settings.py. `sampler_priority`
speaks of `repetition_penalty` where all penalties are meant, and one range serves the
penalties and DRY. Presets hold no grammar and no tokens; the settings of a model do, and of
tokens they can only forbid some.
"""

from __future__ import annotations

import json
import math
import re

from qwq_gguf.exporters.exported import Export, slug
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.forbidding import spoken_biases, spoken_grammar
from qwq_gguf.exporters.runtime_words import Flat, RuntimeWords, flatten, spoken_order
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.exporters.yaml_text import to_yaml
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling.chain import show

__all__ = ["WORDS", "export"]

WORDS = RuntimeWords(
    "text-generation-webui",
    {
        "order": "sampler_priority",
        "logit_bias": "custom_token_bans",
        "grammar": "grammar_string",
        "repeat_penalty": "repetition_penalty",
        "frequency_penalty": "frequency_penalty",
        "presence_penalty": "presence_penalty",
        "penalty_window": "repetition_penalty_range",
        "dry_multiplier": "dry_multiplier",
        "dry_base": "dry_base",
        "dry_allowed_length": "dry_allowed_length",
        "dry_window": "repetition_penalty_range",
        "dry_breakers": "dry_sequence_breakers",
        "top_n_sigma": "top_n_sigma",
        "top_k": "top_k",
        "typical_p": "typical_p",
        "top_p": "top_p",
        "min_p": "min_p",
        "xtc_probability": "xtc_probability",
        "xtc_threshold": "xtc_threshold",
        "temperature": "temperature",
        "temperature_range": "dynatemp_low",
        "temperature_exponent": "dynatemp_exponent",
        "stops": "custom_stopping_strings",
        "context": "ctx_size",
    },
    carried=frozenset({"template"}),
)
_PLAIN = (
    "repeat_penalty",
    "frequency_penalty",
    "presence_penalty",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "top_n_sigma",
    "top_k",
    "typical_p",
    "top_p",
    "min_p",
    "xtc_probability",
    "xtc_threshold",
    "temperature",
)
_STAGES = {"penalties": "repetition_penalty", "typ_p": "typical_p"}


def export(profile: Profile, facts: GgufFacts) -> Export:
    """`user_data/presets/NAME.yaml` and the lines for `user_data/models/config-user.yaml`."""
    flat, name = flatten(profile, facts.room), slug(profile.name)
    stages = [_STAGES.get(name, name) for name in spoken_order(profile)]
    preset: dict[str, object] = {WORDS.names[n]: flat.number(n) for n in _PLAIN if flat.says(n)}
    if flat.says("penalty_window") or flat.says("dry_window"):
        preset["repetition_penalty_range"] = _range(flat)
    preset |= _dynamic(flat)
    if not flat.is_neutral("dry_breakers"):
        preset["dry_sequence_breakers"] = json.dumps(list(flat.breakers), ensure_ascii=False)
    preset["do_sample"] = True
    # An empty order would leave the server's own; top_k 0 does nothing.
    if flat.says("order"):
        preset["sampler_priority"] = "\n".join(stages or ["top_k"])
    model: dict[str, object] = {"loader": "llama.cpp", "ctx_size": flat.tokens}
    if facts.fitted is not None:
        model |= facts.fitted.text_generation_webui()
    if profile.stops:
        stops = ", ".join(json.dumps(stop, ensure_ascii=False) for stop in profile.stops)
        model["custom_stopping_strings"] = stops
    biases = spoken_biases(profile, facts)
    if banned := [str(token) for token, bias in biases.by_id if bias == -math.inf]:
        model["custom_token_bans"] = ",".join(banned)
    if (grammar := spoken_grammar(profile, facts)) is not None:
        model["grammar_string"] = grammar
    # Its keys are regular expressions, compared with the file's name in small letters.
    entry = {f"{re.escape(facts.filename)}$": model}
    unsaid = [*WORDS.unsaid(profile, facts.sampling), *_one_range(flat), *biases.unsaid]
    unsaid += spoken_thoughts(profile, facts).untold("set it in text-generation-webui")
    if any(math.isfinite(bias) and bias for _, bias in biases.by_id):
        unsaid.append("logit biases that do not forbid: text-generation-webui has none")
    settings = to_yaml(entry, ("Add this to the file of that name.",))
    files = {"user_data/models/config-user.yaml": settings}
    use = ["add the lines of config-user.yaml to user_data/models/config-user.yaml"]
    if profile.named != frozenset():  # a preset sets whatever it does not name to neutral values
        files[f"user_data/presets/{name}.yaml"] = to_yaml(preset)
        use += ["copy the preset into user_data/presets, and choose it:", name]
    return Export("text-generation-webui", files, WORDS.rows(), tuple(unsaid), tuple(use))


def _range(flat: Flat) -> float | int:
    uses_dry = not flat.is_neutral("dry_window")
    return flat.number("dry_window" if uses_dry and _no_penalty(flat) else "penalty_window")


def _no_penalty(flat: Flat) -> bool:
    return "penalties" not in flat.order


def _one_range(flat: Flat) -> list[str]:
    if _no_penalty(flat) or "dry" not in flat.order:
        return []
    if flat.number("dry_window") == flat.number("penalty_window"):
        return []
    window = show(flat.number("dry_window"))
    return [f"dry over {window} tokens: text-generation-webui has one range for all penalties"]


def _dynamic(flat: Flat) -> dict[str, object]:
    if flat.is_neutral("temperature_range"):
        return {}
    middle, spread = flat.number("temperature"), flat.number("temperature_range")
    return {
        "dynamic_temperature": True,
        "dynatemp_low": max(0.0, middle - spread),
        "dynatemp_high": middle + spread,
        "dynatemp_exponent": flat.number("temperature_exponent"),
    }
