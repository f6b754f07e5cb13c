"""A profile for Open WebUI: a model to import in its workspace.

Read in its sources: backend/open_webui/utils/payload.py. `params` become the request's
fields, or Ollama's options; what stands in `custom_params` is sent as it is, which is how
an order reaches llama-server. Stops are decoded as Python escapes first. A logit bias is a
text there, `ID:BIAS` behind commas, of whole numbers from -100 to 100 (utils/misc.py,
convert_logit_bias_input_to_json).
"""

from __future__ import annotations

import json

from qwq_gguf.exporters.exported import Export, slug
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.forbidding import spoken_biases, spoken_grammar
from qwq_gguf.exporters.runtime_words import RuntimeWords, flatten, spoken_order
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile
from qwq_gguf.sampling.chain import show

__all__ = ["WORDS", "export"]

_TO_SERVER = {
    "dry_multiplier": "dry_multiplier",
    "dry_base": "dry_base",
    "dry_allowed_length": "dry_allowed_length",
    "dry_window": "dry_penalty_last_n",
    "top_n_sigma": "top_n_sigma",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
    "temperature_range": "dynatemp_range",
    "temperature_exponent": "dynatemp_exponent",
}
_PARAMS = {
    "repeat_penalty": "repeat_penalty",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "penalty_window": "repeat_last_n",
    "top_k": "top_k",
    "typical_p": "typical_p",
    "top_p": "top_p",
    "min_p": "min_p",
    "temperature": "temperature",
}
WORDS = RuntimeWords(
    "Open WebUI",
    {
        "order": "custom_params.samplers",
        **_PARAMS,
        **{setting: f"custom_params.{name}" for setting, name in _TO_SERVER.items()},
        "logit_bias": "logit_bias",
        "grammar": "custom_params.grammar",
        "dry_breakers": "custom_params.dry_sequence_breakers",
        "stops": "stop",
        "context": "num_ctx",
        "thinking": "reasoning_tags",
    },
    carried=frozenset({"template"}),
)


def export(profile: Profile, facts: GgufFacts) -> Export:
    """`openwebui.json`, for Workspace > Models > Import."""
    flat = flatten(profile, facts.room)
    params: dict[str, object] = {
        name: flat.number(key) for key, name in _PARAMS.items() if flat.says(key)
    }
    params["num_ctx"] = flat.tokens
    if profile.stops:
        params["stop"] = [_escaped(stop) for stop in profile.stops]
    biases = spoken_biases(profile, facts)
    if biases.by_id:
        params["logit_bias"] = ",".join(f"{token}:{_whole(b)}" for token, b in biases.by_id)
    thoughts = spoken_thoughts(profile, facts)
    if thoughts.tags is not None and thoughts.tags.channels is None:
        params["reasoning_tags"] = [thoughts.tags.open, thoughts.tags.close]
    custom: dict[str, object] = {}
    if flat.says("order"):
        custom["samplers"] = list(spoken_order(profile))
    custom |= {
        name: flat.number(key)
        for key, name in _TO_SERVER.items()
        if flat.says(key) and not flat.is_neutral(key)
    }
    if not flat.is_neutral("dry_breakers"):
        custom["dry_sequence_breakers"] = list(flat.breakers)
    if (grammar := spoken_grammar(profile, facts)) is not None:
        custom["grammar"] = grammar
    if thoughts.switch:
        params["think"] = thoughts.effort or thoughts.on  # for Ollama
        custom["chat_template_kwargs"] = dict(thoughts.switch)  # for llama-server and vLLM
    params["custom_params"] = custom
    model = {
        "id": slug(f"{facts.name}-{profile.name}"),
        "base_model_id": facts.name,
        "name": f"{facts.name} ({profile.name})",
        "params": params,
        "meta": {"description": profile.description, "capabilities": {"vision": False}},
        "is_active": True,
    }
    unsaid = [*WORDS.unsaid(profile, facts.sampling), *biases.unsaid]
    if facts.fitted is not None:
        unsaid += facts.fitted.context_only("Open WebUI")
    unsaid += thoughts.by_itself("the server")
    rough = [show(bias) for _, bias in biases.by_id if _whole(bias) != bias]
    if rough:
        unsaid.append(f"logit bias {', '.join(rough)}: whole numbers from -100 to 100 are all")
    if grammar is not None:
        unsaid.append("the grammar: llama-server gets it; Ollama leaves custom parameters out")
    if flat.says("order") and len(flat.order) > 1 and facts.sampling.order != spoken_order(profile):
        unsaid.append(
            f"the order {' > '.join(profile.chain.order)}: llama-server gets it; Ollama leaves "
            "custom parameters out, and takes the order from the GGUF alone"
        )
    return Export(
        "openwebui",
        {"openwebui.json": json.dumps([model], ensure_ascii=False, indent=2) + "\n"},
        WORDS.rows(),
        tuple(unsaid),
        (
            "Workspace > Models > Import: openwebui.json",
            f"base_model_id must be what your server calls the model (here {facts.name})",
        ),
    )


def _whole(bias: float) -> int:
    return round(max(-100.0, min(100.0, bias)))


def _escaped(stop: str) -> str:
    return stop.encode("unicode_escape").decode("ascii")
