"""OpenAI's chat completions."""

from __future__ import annotations

from typing import Any

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.serve.ask import Ask
from qwq_gguf.serve.limits import LIMITS
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

__all__ = ["read_chat", "read_logprobs", "read_tools", "with_grammar"]


def read_chat(fields: Fields) -> Ask:
    """A body of `/v1/chat/completions`."""
    tools, one_call = read_tools(fields)
    stream = fields.flag("stream") or False
    options = fields.object("stream_options")
    return Ask(
        model=fields.text("model", most=LIMITS.name_chars),
        messages=read_messages(fields),
        tools=tools,
        settings=with_grammar(read_settings(fields), read_shape(fields), tools),
        max_tokens=read_limit(fields, "max_completion_tokens", "max_tokens", "n_predict"),
        stops=read_stops(fields),
        choices=fields.whole("n", 1, LIMITS.choices) or 1,
        seed=read_seed(fields),
        one_call=one_call,
        logprobs=read_logprobs(fields),
        stream=stream,
        include_usage=stream and options is not None and bool(options.flag("include_usage")),
        **read_thoughts(fields),
    )


def read_tools(fields: Fields) -> tuple[tuple[ToolSpec, ...], bool]:
    """The tools that the model is offered, and whether it may call one only."""
    tools: list[ToolSpec] = []
    for each in fields.objects("tools", most=LIMITS.tools):
        if each.text("type", most=100) not in (None, "function"):
            raise Refusal(
                "only tools of the type function can be offered",
                param=each.place("type"),
                code="unsupported_value",
            )
        tools.append(read_tool(each.needed_object("function")))
    tools += [read_tool(each) for each in fields.objects("functions", most=LIMITS.tools)]
    one = fields.flag("parallel_tool_calls") is False
    choice: Any = fields.data.get("tool_choice")
    if choice == "none":
        return (), one
    if choice not in (None, "auto"):
        raise Refusal(
            "a call cannot be forced: the model decides whether it calls a tool",
            param=fields.place("tool_choice"),
            code="unsupported_value",
        )
    return check_unique(tools, fields.place("tools")), one


def with_grammar(
    settings: dict[str, Any], shape: str | None, tools: tuple[ToolSpec, ...]
) -> dict[str, Any]:
    """The settings with the grammar of a format. Refusal beside another one, or tools."""
    if shape is None:
        return settings
    if "grammar" in settings:
        raise Refusal("response_format and grammar exclude each other", param="grammar")
    if tools:
        raise Refusal(
            "response_format and tools exclude each other: its grammar would forbid every call",
            param="response_format",
            code="unsupported_value",
        )
    return {**settings, "grammar": shape}


def read_logprobs(fields: Fields) -> int | None:
    """How many of the likeliest tokens are told beside each; None where none is told."""
    best = fields.whole("top_logprobs", 0, LIMITS.logprobs)
    if fields.flag("logprobs"):
        return best or 0
    if best:
        raise Refusal("top_logprobs needs logprobs", param=fields.place("top_logprobs"))
    return None
