"""Bodies of Anthropic's messages and of OpenAI's responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.serve.ask import Ask
from qwq_gguf.serve.reading.anthropic import read_anthropic
from qwq_gguf.serve.reading.fields import Fields, read_body
from qwq_gguf.serve.reading.responses import read_response
from qwq_gguf.serve.refusal import Refusal

HELLO = [{"role": "user", "content": "Hello"}]


def fields(**body: Any) -> Fields:
    return read_body(json.dumps(body).encode())


def anthropic(**body: Any) -> Ask:
    return read_anthropic(fields(**{"messages": HELLO} | body))


def response(**body: Any) -> Ask:
    return read_response(fields(**{"input": "Hello"} | body))


def refused(read: Callable[..., Ask], **body: Any) -> str | None:
    with pytest.raises(Refusal) as caught:
        read(**body)
    assert caught.value.status == 400
    return caught.value.param


def test_what_is_left_out_is_left_to_the_profile() -> None:
    assert anthropic() == response() == Ask(messages=(Message("user", "Hello"),))
    assert anthropic(metadata={"user_id": "x"}, service_tier="auto") == anthropic()
    assert response(store=True, include=["x"], truncation="auto", user="me") == response()


def test_anthropics_blocks() -> None:
    ask = anthropic(
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "x"},
                    {"type": "redacted_thinking", "data": "x"},
                    {"type": "text", "text": "b"},
                    {"type": "tool_use", "id": "1", "name": "f", "input": {"x": 1}},
                    {"type": "tool_use", "id": "2", "name": "g", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "2", "content": "no", "is_error": True},
                    {
                        "type": "tool_result",
                        "tool_use_id": "1",
                        "content": [{"type": "text", "text": "yes"}],
                    },
                    {"type": "text", "text": "and?"},
                ],
            },
        ],
    )
    assert ask.messages == (
        Message("system", "Be brief."),
        Message("user", "a"),
        Message("assistant", "b", (ToolCall("f", {"x": 1}), ToolCall("g")), thinking="hm"),
        Message("tool", "yes", name="f"),
        Message("tool", "error: no", name="g"),
        Message("user", "and?"),
    )


def test_anthropics_settings() -> None:
    ask = anthropic(
        max_tokens=9,
        stop_sequences=["END"],
        temperature=0.5,
        top_k=3,
        stream=True,
        thinking={"type": "enabled", "budget_tokens": 300},
        output_config={"effort": "low"},
        tools=[{"name": "f", "input_schema": {"type": "object"}}],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
    )
    assert (ask.max_tokens, ask.stops, ask.stream) == (9, ("END",), True)
    assert (ask.think, ask.budget, ask.effort) == (True, 300, "low")
    assert ask.settings == {"temperature": 0.5, "top_k": 3}
    assert [tool.name for tool in ask.tools] == ["f"]
    assert ask.one_call
    assert anthropic(thinking={"type": "disabled"}).think is False
    shaped = anthropic(output_config={"format": {"type": "json_schema", "schema": {}}})
    assert "grammar" in shaped.settings


@pytest.mark.parametrize(
    "body, param",
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "messages[0].content[0].type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
            "messages[0].content[0].tool_use_id",
        ),
        ({"max_tokens": 0}, "max_tokens"),
        ({"tools": [{"type": "web_search", "name": "web_search"}]}, "tools[0].type"),
        ({"thinking": {"type": "sometimes"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens"),
        ({"system": 3}, "system"),
    ],
)
def test_what_is_wrong_with_a_message(body: dict[str, Any], param: str) -> None:
    assert refused(anthropic, **body) == param


def test_items_of_a_response() -> None:
    ask = response(
        instructions="Be brief.",
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {
                "type": "reasoning",
                "id": "rs_1",
                "summary": [],
                "content": [{"type": "reasoning_text", "text": "hm"}],
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "b"}],
            },
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"x": 1}'},
            {"type": "function_call", "call_id": "2", "name": "g", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "2", "output": "no"},
            {"type": "function_call_output", "call_id": "1", "output": "yes"},
            {"type": "message", "role": "assistant", "content": "done"},
            {"role": "user", "content": "and?"},
        ],
    )
    assert ask.messages == (
        Message("system", "Be brief."),
        Message("user", "a"),
        Message("assistant", "b", (ToolCall("f", {"x": 1}), ToolCall("g")), thinking="hm"),
        Message("tool", "yes", name="f"),
        Message("tool", "no", name="g"),
        Message("assistant", "done"),
        Message("user", "and?"),
    )


def test_settings_of_a_response() -> None:
    ask = response(
        max_output_tokens=9,
        reasoning={"effort": "low", "summary": "auto"},
        tools=[{"type": "function", "name": "f", "parameters": {}, "strict": True}],
        parallel_tool_calls=False,
        text={"format": {"type": "text"}},
    )
    assert (ask.max_tokens, ask.effort, ask.one_call) == (9, "low", True)
    assert [tool.name for tool in ask.tools] == ["f"]
    assert "grammar" in response(text={"format": {"type": "json_object"}}).settings


@pytest.mark.parametrize(
    "body, param",
    [
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
        ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0].type",
        ),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "teapot"}]}, "tools[0].type"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name"),
        (
            {"text": {"format": {"type": "json_schema", "schema": {"pattern": "x"}}}},
            "text.format.schema",
        ),
    ],
)
def test_what_is_wrong_with_a_response(body: dict[str, Any], param: str) -> None:
    assert refused(response, **body) == param


def test_a_call_that_has_to_come() -> None:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in "fg"]
    ask = anthropic(tools=tools, tool_choice={"type": "any", "disable_parallel_tool_use": True})
    assert ([tool.name for tool in ask.forced], ask.one_call) == (["f", "g"], True)
    ask = anthropic(tools=tools, tool_choice={"type": "tool", "name": "g"})
    assert [tool.name for tool in ask.tools] == ["f", "g"]
    assert ([tool.name for tool in ask.forced], ask.one_call) == (["g"], True)
    ask = response(
        tools=[{"type": "function", "name": name} for name in "fg"],
        tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"name": "g"}]},
        text={"format": {"type": "json_object"}},
    )
    assert ([tool.name for tool in ask.tools], ask.forced) == (["g"], ())
    assert ask.shape is not None
    assert "grammar" not in ask.settings
