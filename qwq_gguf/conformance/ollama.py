"""What Ollama says of a model (/api/show), and what it then asks of its runner.

From Ollama's sources (api/types.go, llm/server.go of 0.33): every request to the runner
carries all of these numbers, from the Modelfile or by its own defaults, so the file's
numbers never count; it carries no order, so the file's order does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from qwq_gguf.conformance.compare import Applied
from qwq_gguf.conformance.json_numbers import tokens, whole
from qwq_gguf.metadata import text
from qwq_gguf.profiles import load_profile
from qwq_gguf.profiles.gguf_keys import SAMPLING, read_sampling
from qwq_gguf.sampling.settings import SettingValue

__all__ = ["read_ollama"]

# Parameter -> (our name, Ollama's default)
_PARAMETERS: Mapping[str, tuple[str, float | int]] = {
    "temperature": ("temperature", 0.8),
    "top_k": ("top_k", 40),
    "top_p": ("top_p", 0.9),
    "min_p": ("min_p", 0.0),
    "typical_p": ("typical_p", 1.0),
    "repeat_last_n": ("penalty_window", 64),
    "repeat_penalty": ("repeat_penalty", 1.0),
    "presence_penalty": ("presence_penalty", 0.0),
    "frequency_penalty": ("frequency_penalty", 0.0),
}
# Of these it knows nothing, and its runner has llama.cpp's defaults: off.
_UNKNOWN: Mapping[str, float] = {
    "temperature_range": 0.0,
    "temperature_exponent": 1.0,
    "xtc_probability": 0.0,
    "dry_multiplier": 0.0,
    "top_n_sigma": 0.0,
}
_MAX_LINES = 1000


def read_ollama(show: Mapping[str, Any]) -> Applied:
    """Read the answer of /api/show."""
    given, stops = _parameters(show.get("parameters"))
    info = show.get("model_info")
    info = info if isinstance(info, Mapping) else {}
    settings: dict[str, SettingValue] = {}
    origins: dict[str, str] = {}
    notes = []
    for name, (ours, usual) in _PARAMETERS.items():
        value = given.get(name, usual)
        if name == "repeat_last_n" and value < 0:
            notes.append("repeat_last_n is negative: its runner refuses that or penalises nothing")
            value = 0
        settings[ours] = whole(value) if isinstance(usual, int) else float(value)
        origins[ours] = "the Modelfile" if name in given else "Ollama's default"
    for ours, off in _UNKNOWN.items():
        settings[ours] = off
        origins[ours] = "llama.cpp's default: Ollama cannot set it"
    key = f"{SAMPLING}sequence"
    sequence = info.get(key)
    found = read_sampling({key: text(key, sequence)}) if isinstance(sequence, str) else None
    if found is not None and found.order is not None:
        order, origins["order"] = found.order, f"{key} in the file"
    else:
        order = load_profile("llama-cpp").chain.order[:-1]
        origins["order"] = "llama.cpp's default: the file has no sequence"
    context, template = tokens(given.get("num_ctx")), info.get("tokenizer.chat_template")
    origins["context"] = "the Modelfile" if context else "by the memory of the card"
    if not context:
        notes.append("num_ctx is not set: on small cards Ollama takes 4096, and cuts thoughts off")
    if stops:
        origins["stops"] = "the Modelfile"
    notes.append("/v1 sets temperature and top_p to 1 where a client leaves them out")
    return Applied(
        server="Ollama",
        order=order,
        settings=settings,
        context=tokens(context),
        trained_context=_trained(info),
        stops=tuple(stops),
        origins=origins,
        notes=tuple(notes),
        template=template if isinstance(template, str) else None,
    )


def _parameters(listed: Any) -> tuple[dict[str, float], list[str]]:
    """`name value` a line, texts in quotes."""
    numbers: dict[str, float] = {}
    stops: list[str] = []
    for line in (listed if isinstance(listed, str) else "").splitlines()[:_MAX_LINES]:
        name, _, value = line.strip().partition(" ")
        value = value.strip()
        if name == "stop":
            quoted = len(value) > 1 and value[0] == value[-1] == '"'
            stops.append(value[1:-1] if quoted else value)
            continue
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number):
            numbers[name] = number
    return numbers, stops


def _trained(info: Mapping[str, Any]) -> int | None:
    for key, value in info.items():
        if key.endswith(".context_length") and isinstance(value, int):
            return tokens(value)
    return None
