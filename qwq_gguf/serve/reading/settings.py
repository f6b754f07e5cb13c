"""Numbers of the chain, bounds of a reply and what is said of thoughts, under all names in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qwq_gguf.sampling.seeds import nth_seed
from qwq_gguf.sampling.settings import SettingValue
from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.thinking import EFFORTS

__all__ = ["read_effort", "read_limit", "read_seed", "read_settings", "read_stops", "read_thoughts"]

_MOST_TOKENS = 1 << 24
_FLOATS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "top_n_sigma": "top_n_sigma",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "repeat_penalty": "repeat_penalty",
    "repetition_penalty": "repeat_penalty",
    "dry_multiplier": "dry_multiplier",
    "dry_base": "dry_base",
    "xtc_probability": "xtc_probability",
    "xtc_threshold": "xtc_threshold",
}
_BUDGETS = (
    "thinking_budget",
    "thinking_budget_tokens",
    "reasoning_budget",
    "reasoning_budget_tokens",
    "thinking_token_budget",
)
# What a chat makes itself, and nobody may put in its place.
_OURS = ("messages", "tools", "add_generation_prompt", "raise_exception", "strftime_now")


def read_settings(fields: Fields) -> dict[str, SettingValue]:
    """The numbers of the chain that a body names. Their ranges are the chain's business."""
    settings: dict[str, SettingValue] = {}
    for name, setting in _FLOATS.items():
        if (number := fields.number(name, -1e6, 1e6)) is not None:
            settings[setting] = number
    if (top_k := fields.whole("top_k", -1, 2**31 - 1)) is not None:
        settings["top_k"] = max(0, top_k)  # -1 is vLLM's word for all of them
    if biases := _biases(fields):
        settings["logit_bias"] = biases
    if grammar := fields.text("grammar"):
        settings["grammar"] = grammar
    return settings


def read_stops(fields: Fields, name: str = "stop") -> tuple[str, ...]:
    """The texts that end the answer."""
    stops = fields.texts(name, most=LIMITS.stops, chars=LIMITS.stop_chars)
    return tuple(stop for stop in dict.fromkeys(stops) if stop)


def read_limit(fields: Fields, *names: str) -> int | None:
    """The most tokens of a reply, by the first of these names that is there; -1 is no limit."""
    for name in names:
        if (limit := fields.whole(name, -1, 2**53)) is not None:
            if limit == 0:
                raise fields.wrong(name, "1 at least")
            return None if limit < 0 else min(limit, _MOST_TOKENS)
    return None


def read_seed(fields: Fields) -> int | None:
    """A seed. Clients count in 64 bits, chains in 32; below 0 is none."""
    seed = fields.whole("seed", -(2**63), 2**64)
    return None if seed is None or seed < 0 else nth_seed(seed, 0)


def read_effort(fields: Fields, name: str) -> tuple[str | None, bool | None]:
    """How hard to think, and whether at all: `none` is not."""
    effort = fields.choice(name, ("none", *EFFORTS))
    return (None, False) if effort == "none" else (effort, None)


def read_thoughts(fields: Fields) -> dict[str, Any]:
    """What is said of thoughts: `think`, `budget`, `effort`, `message` and `variables` of an Ask.

    Refusal where two names say different things.
    """
    variables = _variables(fields)
    effort, think = read_effort(fields, "reasoning_effort")
    said: list[tuple[str, Any]] = [] if think is None else [("reasoning_effort", think)]
    budgets = list(_budgets(fields))
    said += [
        (f"chat_template_kwargs.{name}", variables[name])
        for name in ("enable_thinking", "thinking")
        if isinstance(variables.get(name), bool)
    ]
    if (switch := fields.flag("enable_thinking")) is not None:
        said.append(("enable_thinking", switch))
    kind = fields.kind("thinking", ("flag", "object"), "true, false or an object")
    if kind == "flag":
        said.append(("thinking", fields.flag("thinking")))
    if kind == "object":  # as Anthropic has it
        inner = fields.needed_object("thinking")
        word = inner.choice("type", ("enabled", "disabled", "adaptive", "auto"))
        if word in ("enabled", "disabled"):
            said.append(("thinking.type", word == "enabled"))
        budgets += _one(inner, "budget_tokens")
    if fields.has("reasoning"):  # OpenAI's responses, and routers
        inner = fields.needed_object("reasoning")
        inner_effort, off = read_effort(inner, "effort")
        effort = effort or inner_effort
        enabled = inner.flag("enabled")
        said += [
            (f"reasoning.{name}", value)
            for name, value in (("effort", off), ("enabled", enabled))
            if value is not None
        ]
        budgets += _one(inner, "max_tokens")
    budget = _agreed(budgets)
    think = _agreed(said)
    if think and budget == 0:
        raise Refusal("thinking is asked for, with a budget of 0", param=budgets[0][0])
    return {
        "think": think,
        "budget": budget,
        "effort": effort,
        "message": fields.text("reasoning_budget_message"),
        "variables": variables,
    }


def _budgets(fields: Fields) -> Iterator[tuple[str, int]]:
    for name in _BUDGETS:
        yield from _one(fields, name)
    if (inner := fields.object("chat_template_kwargs")) is not None:
        yield from _one(inner, "thinking_budget")


def _one(fields: Fields, name: str) -> list[tuple[str, int]]:
    budget = fields.whole(name, -1, 2**53)
    return [] if budget is None else [(fields.place(name), min(budget, _MOST_TOKENS))]


def _agreed(said: list[tuple[str, Any]]) -> Any:
    """The one value that all names have; None where there is none."""
    for name, value in said[1:]:
        if value != said[0][1]:
            raise Refusal(
                f"{said[0][0]} and {name} contradict each other", param=name, code="invalid_value"
            )
    return said[0][1] if said else None


def _variables(fields: Fields) -> Mapping[str, Any]:
    given = fields.object("chat_template_kwargs")
    if given is None:
        return {}
    for name in _OURS:
        if name in given.data:
            raise Refusal(f"chat_template_kwargs cannot set {name}", param=given.place(name))
    return given.data


def _biases(fields: Fields) -> tuple[tuple[int, float], ...]:
    given = fields.object("logit_bias")
    if given is None:
        return ()
    if len(given.data) > LIMITS.biases:
        raise fields.wrong("logit_bias", f"at most {LIMITS.biases} tokens")
    biases = []
    for token in given.data:
        if not token.isascii() or not token.isdecimal() or len(token) > 10:
            raise fields.wrong("logit_bias", "an object of numbers by the ids of tokens")
        bias = given.number(token, -100, 100)
        if bias is None:
            raise given.wrong(token, "a number")
        biases.append((int(token), float(bias)))
    if len({token for token, _ in biases}) < len(biases):
        raise fields.wrong("logit_bias", "an object that has each token once")
    return tuple(biases)
