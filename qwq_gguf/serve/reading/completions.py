"""OpenAI's completions: a text that is gone on with."""

from __future__ import annotations

from typing import Any

from qwq_gguf.serve.ask import Ask
from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.chat import read_calls_and_form
from qwq_gguf.serve.reading.choice import Offer
from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.reading.settings import read_limit, read_seed, read_stops
from qwq_gguf.serve.reading.shape import read_shape
from qwq_gguf.serve.refusal import Refusal

__all__ = ["read_completion"]

_MOST_TOKENS = 1 << 20


def read_completion(fields: Fields) -> Ask:
    """A body of `/v1/completions`."""
    for name in ("suffix", "echo"):
        if fields.has(name) and fields.data[name] not in (False, ""):
            raise Refusal(
                f"{name}: a text is gone on with and not repeated",
                param=name,
                code="unsupported_parameter",
            )
    choices = fields.whole("n", 1, LIMITS.choices) or 1
    if (fields.whole("best_of", 1, LIMITS.choices) or choices) != choices:
        raise fields.wrong("best_of", "the same as n")
    stream = fields.flag("stream") or False
    options = fields.object("stream_options")
    return Ask(
        model=fields.text("model", most=LIMITS.name_chars),
        prompt=_prompt(fields),
        **read_calls_and_form(fields, Offer(), read_shape(fields)),
        max_tokens=read_limit(fields, "max_tokens", "n_predict"),
        stops=read_stops(fields),
        choices=choices,
        seed=read_seed(fields),
        logprobs=_logprobs(fields),
        stream=stream,
        include_usage=stream and options is not None and bool(options.flag("include_usage")),
    )


def _logprobs(fields: Fields) -> int | None:
    """A number here, where a chat has two fields; true is taken as well, as some servers do."""
    if not isinstance(fields.data.get("logprobs"), bool):
        return fields.whole("logprobs", 0, LIMITS.logprobs)
    best = fields.whole("top_logprobs", 0, LIMITS.logprobs)
    return (best or 0) if fields.flag("logprobs") else None


def _prompt(fields: Fields) -> str | tuple[int, ...]:
    """A text, or the ids of its tokens; one of either may stand in a list."""
    expected = "one text, or the ids of its tokens"
    if fields.kind("prompt", ("text", "list"), expected, needed=True) != "list":
        if text := fields.needed_text("prompt"):
            return text
        raise fields.wrong("prompt", expected)
    value: Any = fields.list("prompt", most=_MOST_TOKENS)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | list):
        value = value[0]
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and all(type(each) is int for each in value):
        return tuple(value)
    raise fields.wrong("prompt", expected)
