"""What LangChain's and LiteLLM's adapters send: recorded between them and this server.

langchain-openai 1.7.4 (`ChatOpenAI` with temperature, seed and max_tokens) and litellm 1.110.2
(`completion`), with openai 3.57.0, November 2026. Bodies only; the texts are ours.
"""

from __future__ import annotations

from typing import Any

__all__ = ["ADAPTERS"]

_ASKED = {"role": "user", "content": "What is 7*43?"}
_LONG = {"role": "user", "content": "What is 3394*35979?"}
_SCHEMA = {
    "type": "object",
    "properties": {"expression": {"type": "string"}},
    "required": ["expression"],
}
_TOOL = {
    "type": "function",
    "function": {
        "name": "calculator",
        "description": "Work out an expression.",
        "parameters": _SCHEMA,
    },
}
_RESULT = {
    "properties": {"result": {"title": "Result", "type": "integer"}},
    "required": ["result"],
    "title": "Result",
    "type": "object",
}
_FORM = {
    "type": "json_schema",
    "json_schema": {
        "schema": {**_RESULT, "additionalProperties": False},
        "name": "Result",
        "strict": True,
    },
}
_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "calculator", "arguments": '{"expression": "3394*35979"}'},
}
_BACK = {"role": "tool", "tool_call_id": "call_1", "content": "122112726"}


def _langchain(*messages: dict[str, Any], stream: bool = False, **more: Any) -> dict[str, Any]:
    usual = {"max_completion_tokens": 200, "seed": 1, "temperature": 0.0}
    return {"model": "demo", "stream": stream, "messages": list(messages), **usual, **more}


def _litellm(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    usual = {"temperature": 0, "max_tokens": 200}
    return {"model": "demo", "messages": list(messages), **usual, **more}


def _blocks(message: dict[str, Any]) -> dict[str, Any]:
    return {"role": message["role"], "content": [{"type": "text", "text": message["content"]}]}


_CHAT, _MESSAGES = "/v1/chat/completions", "/v1/messages"

ADAPTERS: dict[str, tuple[str, dict[str, Any], str]] = {
    # Each with its path, its body, and what has to come: text, a call, or an object.
    "langchain invoke": (_CHAT, _langchain(_ASKED), "text"),
    "langchain stream": (
        _CHAT,
        _langchain(_ASKED, stream=True, stream_options={"include_usage": True}),
        "text",
    ),
    "langchain bind_tools": (_CHAT, _langchain(_LONG, tools=[_TOOL]), "call"),
    "langchain bind_tools, one that has to be called": (
        _CHAT,
        _langchain(
            _ASKED,
            tools=[_TOOL],
            tool_choice={"type": "function", "function": {"name": "calculator"}},
        ),
        "call",
    ),
    "langchain ToolMessage": (
        _CHAT,
        _langchain(
            {"role": "system", "content": "Be brief."},
            _LONG,
            {"role": "assistant", "content": None, "tool_calls": [_CALL]},
            _BACK,
            tools=[_TOOL],
        ),
        "text",
    ),
    "langchain with_structured_output, json_schema": (
        _CHAT,
        _langchain(_ASKED, response_format=_FORM),
        "object",
    ),
    "langchain with_structured_output, function_calling": (
        _CHAT,
        _langchain(
            _ASKED,
            parallel_tool_calls=False,
            tool_choice={"type": "function", "function": {"name": "Result"}},
            tools=[
                {
                    "type": "function",
                    "function": {
                        "name": "Result",
                        "description": "",
                        "parameters": {
                            "properties": {"result": {"type": "integer"}},
                            "required": ["result"],
                            "type": "object",
                        },
                    },
                }
            ],
        ),
        "call",
    ),
    "langchain responses": (
        "/v1/responses",
        {
            "model": "demo",
            "stream": False,
            "input": [{**_ASKED, "type": "message"}],
            "max_output_tokens": 200,
        },
        "text",
    ),
    "litellm openai/": (_CHAT, _litellm(_ASKED), "text"),
    "litellm openai/, streamed": (
        _CHAT,
        _litellm(_ASKED, stream=True, stream_options={"include_usage": True}),
        "text",
    ),
    "litellm openai/, effort": (_CHAT, _litellm(_ASKED, reasoning_effort="low"), "text"),
    "litellm openai/, tools": (_CHAT, _litellm(_LONG, tools=[_TOOL], tool_choice="auto"), "call"),
    "litellm openai/, form": (_CHAT, _litellm(_ASKED, response_format=_FORM), "object"),
    "litellm openai/, result": (
        _CHAT,
        # It leaves the content of a turn with calls out.
        _litellm(_LONG, {"role": "assistant", "tool_calls": [_CALL]}, _BACK, tools=[_TOOL]),
        "text",
    ),
    "litellm anthropic/": (_MESSAGES, _litellm(_blocks(_ASKED)), "text"),
    "litellm anthropic/, streamed": (_MESSAGES, _litellm(_blocks(_ASKED), stream=True), "text"),
    "litellm anthropic/, effort": (
        _MESSAGES,
        # A budget beyond max_tokens, which Anthropic itself would refuse.
        _litellm(
            _blocks(_ASKED),
            thinking={"type": "enabled", "budget_tokens": 1024},
            reasoning_effort="low",
        ),
        "text",
    ),
    "litellm anthropic/, tools": (
        _MESSAGES,
        _litellm(
            _blocks(_LONG),
            tools=[
                {
                    "name": "calculator",
                    "input_schema": _SCHEMA,
                    "type": "custom",
                    "description": "Work out an expression.",
                }
            ],
            tool_choice={"type": "auto"},
        ),
        "call",
    ),
    "litellm anthropic/, form": (
        _MESSAGES,
        _litellm(
            _blocks(_ASKED),
            tool_choice={"name": "json_tool_call", "type": "tool"},
            tools=[{"name": "json_tool_call", "input_schema": _RESULT}],
        ),
        "call",
    ),
    "litellm anthropic/, result": (
        _MESSAGES,
        _litellm(
            _blocks(_LONG),
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_1",
                        "name": "calculator",
                        "input": {"expression": "3394*35979"},
                    }
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "122112726"}
                ],
            },
        ),
        "text",
    ),
}
