"""Bodies that together have everything in them that a reader looks at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["CHAT", "COMPLETION", "CONTROL", "MESSAGE", "RESPONSE", "TOKENIZE"]

Body = Mapping[str, Any]

_SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}}
_FUNCTION = {"name": "lookup", "description": "Look it up.", "parameters": _SCHEMA}
_THOUGHTS: Body = {
    "thinking": {"type": "enabled", "budget_tokens": 100},
    "reasoning": {"effort": "low", "enabled": True, "max_tokens": 100},
    "chat_template_kwargs": {"thinking_budget": 100},
    "logit_bias": {"7": 1},
    "stop": "END",
}
_USER: Body = {"role": "user", "content": "Hello"}
_PARTS = [{"type": "text", "text": "Hello"}, {"type": "refusal", "refusal": "no"}]
_CALL = {"name": "lookup", "arguments": "{}"}

CHAT: tuple[Body, ...] = (
    {
        "messages": [_USER],
        "thinking": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    {
        **_THOUGHTS,
        "messages": [
            {"role": "user", "content": _PARTS},
            {
                "role": "assistant",
                "reasoning": "hm",
                "tool_calls": [{"id": "1", "function": _CALL}],
                "function_call": _CALL,
            },
            {"role": "tool", "tool_call_id": "1", "content": "it"},
            {"role": "function", "name": "lookup", "content": "it"},
        ],
        "tools": [{"type": "function", "function": _FUNCTION}],
        "functions": [{"name": "other"}],
        "tool_choice": {"type": "function", "function": {"name": "lookup"}},
        "response_format": {"type": "json_schema", "json_schema": {"schema": _SCHEMA}},
        "logprobs": True,
        "top_logprobs": 1,
    },
    {
        "messages": [_USER],
        "tools": [{"function": _FUNCTION}],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"function": {"name": "lookup"}}]},
        },
        "response_format": {"type": "json_object", "schema": _SCHEMA},
    },
    {"messages": [_USER], "tools": [{"function": _FUNCTION}], "tool_choice": "auto"},
    {"messages": [_USER], "tools": [{"function": _FUNCTION}], "function_call": "auto"},
    {"messages": [_USER], "tools": [{"function": _FUNCTION}], "function_call": {"name": "lookup"}},
)
COMPLETION: tuple[Body, ...] = (
    {
        "prompt": "Hello",
        "logprobs": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    {
        "prompt": [1, 2],
        "logprobs": 1,
        "logit_bias": {"7": 1},
        "response_format": {"type": "json_schema", "json_schema": {"schema": _SCHEMA}},
    },
)
RESPONSE: tuple[Body, ...] = (
    {"input": "Hello", "thinking": False},
    {
        **_THOUGHTS,
        "input": [
            {"role": "user", "content": _PARTS},
            {"type": "reasoning", "content": [{"text": "hm"}], "summary": [{"text": "hm"}]},
            {"type": "reasoning", "summary": [{"text": "hm"}]},
            {"type": "function_call", "call_id": "1", "name": "lookup", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": _PARTS},
        ],
        "tools": [{"type": "function", **_FUNCTION}],
        "tool_choice": {"type": "function", "name": "lookup"},
        "text": {"format": {"type": "json_schema", "schema": _SCHEMA}},
    },
    {"input": [_USER], "tools": [{"type": "function", **_FUNCTION}], "tool_choice": "auto"},
    {
        "input": [_USER],
        "tools": [{"type": "function", **_FUNCTION}],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"name": "lookup"}]},
    },
)
MESSAGE: tuple[Body, ...] = (
    {"messages": [_USER], "thinking": True, "system": "Be brief."},
    {
        **_THOUGHTS,
        "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Hello"},
                    {"type": "thinking", "thinking": "hm"},
                    {"type": "tool_use", "id": "1", "name": "lookup", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "1", "content": "it", "is_error": True}
                ],
            },
        ],
        "tools": [{"type": "custom", "name": "lookup", "input_schema": _SCHEMA}],
        "tool_choice": {"type": "tool", "name": "lookup", "disable_parallel_tool_use": True},
        "output_config": {
            "effort": "low",
            "format": {"type": "json_schema", "schema": _SCHEMA},
        },
    },
    {"messages": [_USER], "output_format": {"type": "json_schema", "schema": _SCHEMA}},
)
CONTROL: tuple[Body, ...] = ({"id": "chatcmpl-1", "action": "reasoning_end"},)
TOKENIZE: tuple[Body, ...] = ({"content": "Hello"}, {"prompt": "Hello"})
