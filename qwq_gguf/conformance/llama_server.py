"""What llama-server says of itself: /props, and the settings that a completion was run with.

Field names are those of tools/server/server-task.cpp in llama.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from qwq_gguf.conformance.compare import Applied
from qwq_gguf.conformance.json_numbers import real, tokens, whole
from qwq_gguf.profiles import load_profile
from qwq_gguf.profiles.gguf_keys import SAMPLING, FileSampling
from qwq_gguf.sampling.settings import SettingValue

__all__ = ["FIELDS", "read_llama_server", "sampler_settings", "told_order"]

# Their name -> ours.
FIELDS: Mapping[str, str] = {
    "temperature": "temperature",
    "dynatemp_range": "temperature_range",
    "dynatemp_exponent": "temperature_exponent",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "top_n_sigma": "top_n_sigma",
    "typical_p": "typical_p",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
    "repeat_last_n": "penalty_window",
    "repeat_penalty": "repeat_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "dry_multiplier": "dry_multiplier",
    "dry_base": "dry_base",
    "dry_allowed_length": "dry_allowed_length",
    "dry_penalty_last_n": "dry_window",
    "dry_sequence_breakers": "dry_breakers",
}
_MOST_BIASES = 1024
_WHOLE = ("top_k", "penalty_window", "dry_allowed_length", "dry_window")
# Off is written in several ways.
_NEGATIVE_IS_OFF = ("top_n_sigma", "top_k", "temperature", "penalty_window")
_SPELLINGS = {"typical_p": "typ_p", "temp": "temperature"}


def read_llama_server(
    props: Mapping[str, Any],
    completion: Mapping[str, Any] | None,
    models: Mapping[str, Any] | None,
    file: FileSampling | None,
) -> Applied:
    """Read its answers. What a completion was run with counts more than /props.

    `file` is what the GGUF that it runs says, when the user named it.
    """
    defaults = props.get("default_generation_settings")
    defaults = defaults if isinstance(defaults, Mapping) else {}
    idle = defaults.get("params", defaults)
    idle = idle if isinstance(idle, Mapping) else {}
    used = completion.get("generation_settings") if completion else None
    told = used if isinstance(used, Mapping) else idle
    settings = sampler_settings(told)
    order = told_order(told)
    notes = []
    if told is not idle and _disagree(
        {**sampler_settings(idle), "order": told_order(idle)}, {**settings, "order": order}
    ):
        notes.append("/props and a completion disagree: what the completion was run with counts")
    context, template = defaults.get("n_ctx"), props.get("chat_template")
    origins = _origins(order, settings, file)
    origins["context"] = "the server: -c, or the model's own"
    return Applied(
        server="llama-server",
        order=order,
        settings=settings,
        context=tokens(context),
        trained_context=_trained(models),
        origins=origins,
        notes=tuple(notes),
        template=template if isinstance(template, str) else None,
    )


def _disagree(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether two answers differ in anything that both tell; /props tells less."""
    return any(
        other[name] is not None and not _same(value, other[name])
        for name, value in one.items()
        if value is not None and name in other
    )


def sampler_settings(told: Mapping[str, Any]) -> dict[str, SettingValue]:
    """The sampler's numbers by our names; what is no number is left out."""
    settings: dict[str, SettingValue] = {}
    for theirs, ours in FIELDS.items():
        value = told.get(theirs)
        if ours == "dry_breakers":
            if isinstance(value, list) and all(isinstance(item, str) for item in value):
                settings[ours] = tuple(value[:64])
            continue
        number = real(value)
        if number is None:
            continue
        if ours in _NEGATIVE_IS_OFF:
            number = max(number, 0.0)
        settings[ours] = whole(number) if ours in _WHOLE else number
    grammar, biases = told.get("grammar"), told.get("logit_bias")
    if isinstance(grammar, str):
        settings["grammar"] = grammar
    if isinstance(biases, list):
        settings["logit_bias"] = tuple(map(_bias, biases[:_MOST_BIASES]))
    return settings


def _bias(entry: Any) -> tuple[int | str, float]:
    """A token and its bias; JSON knows no infinity, so a ban is told as null."""
    entry = entry if isinstance(entry, Mapping) else {}
    token, bias = entry.get("token"), entry.get("bias")
    number = real(bias)
    known = isinstance(token, int) and abs(token) < 1 << 31
    return token if known else -1, -math.inf if number is None else number


def told_order(told: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The stages by our names, None when they are not told."""
    samplers = told.get("samplers")
    if not isinstance(samplers, list):
        return None
    names = [name[:40] for name in samplers[:32] if isinstance(name, str)]
    return tuple(_SPELLINGS.get(name, name) for name in names)


def _trained(models: Mapping[str, Any] | None) -> int | None:
    data = models.get("data") if models else None
    first = data[0] if isinstance(data, list) and data else None
    meta = first.get("meta") if isinstance(first, Mapping) else None
    return tokens(meta.get("n_ctx_train")) if isinstance(meta, Mapping) else None


def _origins(
    order: tuple[str, ...] | None,
    settings: Mapping[str, SettingValue],
    file: FileSampling | None,
) -> dict[str, str]:
    chain = load_profile("llama-cpp").chain
    usual: dict[str, object] = dict(chain.settings())
    usual["order"] = chain.order[:-1]
    in_file: dict[str, object] = {} if file is None else dict(file.values)
    if file is not None and file.order is not None:
        in_file["order"] = file.order
    keys = {} if file is None else {**file.keys, "order": f"{SAMPLING}sequence"}
    told: dict[str, object] = {**settings, **({} if order is None else {"order": order})}
    origins = {}
    for name, value in told.items():
        if name in in_file and _same(in_file[name], value):
            origins[name] = f"{keys[name]} in the file"
        elif name in usual and _same(usual[name], value):
            # Unless the file is known, it may be what says the same.
            origins[name] = "llama.cpp's default" if file is not None else "as by default"
        elif file is not None:
            origins[name] = "a flag of the server"
        else:
            origins[name] = "a flag of the server, or its file"
    return origins


def _same(one: object, other: object) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return one == other
