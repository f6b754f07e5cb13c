"""OpenAI's chat completions."""

from __future__ import annotations

from typing import Any

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.serve.ask import Ask
from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.choice import Offer, openai_offer
from qwq_gguf.serve.reading.content import check_unique, read_tool
from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.reading.messages import read_messages
from qwq_gguf.serve.reading.settings import (
    read_limit,
    read_seed,
    read_settings,
    read_stops,
    read_thoughts,
)
from qwq_gguf.serve.reading.shape import read_shape
from qwq_gguf.serve.refusal import Refusal

__all__ = ["read_calls_and_form", "read_chat", "read_logprobs", "read_tools"]


def read_chat(fields: Fields) -> Ask:
    """A body of `/v1/chat/completions`."""
    stream = fields.flag("stream") or False
    options = fields.object("stream_options")
    return Ask(
        model=fields.text("model", most=LIMITS.name_chars),
        messages=read_messages(fields),
        **read_calls_and_form(fields, read_tools(fields), read_shape(fields)),
        max_tokens=read_limit(fields, "max_completion_tokens", "max_tokens", "n_predict"),
        stops=read_stops(fields),
        choices=fields.whole("n", 1, LIMITS.choices) or 1,
        seed=read_seed(fields),
        logprobs=read_logprobs(fields),
        stream=stream,
        include_usage=stream and options is not None and bool(options.flag("include_usage")),
        **read_thoughts(fields),
    )


def read_tools(fields: Fields) -> Offer:
    """The tools that the model is offered, and what is said of calling them."""
    tools: list[ToolSpec] = []
    for each in fields.objects("tools", most=LIMITS.tools):
        if each.word("type", ("function",), needed=False) not in ("", "function"):
            raise Refusal(
                "only tools of the type function can be offered",
                param=each.place("type"),
                code="unsupported_value",
            )
        tools.append(read_tool(each.needed_object("function")))
    tools += [read_tool(each) for each in fields.objects("functions", most=LIMITS.tools)]
    return openai_offer(fields, check_unique(tools, fields.place("tools")))


def read_calls_and_form(fields: Fields, offer: Offer, shape: str | None) -> dict[str, Any]:
    """`tools`, `forced`, `one_call`, `shape` and `settings` of an Ask. A form for the answer is a
    grammar, which beside tools has to leave room for a call. Refusal beside another grammar.
    """
    settings = read_settings(fields)
    if "grammar" in settings and (shape is not None or offer.tools):
        raise Refusal("a grammar excludes response_format, and tools", param="grammar")
    if shape is not None and not offer.tools:
        settings["grammar"], shape = shape, None
    return {
        "tools": offer.tools,
        "forced": offer.forced,
        "one_call": offer.one,
        "shape": shape,
        "settings": settings,
    }


def read_logprobs(fields: Fields) -> int | None:
    """How many of the likeliest tokens are told beside each; None where none is told."""
    best = fields.whole("top_logprobs", 0, LIMITS.logprobs)
    if fields.flag("logprobs"):
        return best or 0
    if best:
        raise Refusal("top_logprobs needs logprobs", param=fields.place("top_logprobs"))
    return None
