"""A call that has to come: by every protocol, after a thought, with arguments that fit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.http_client import ask, events
from support.serving import Running

CHAT = "/v1/chat/completions"
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {
            "unit": {"enum": ["C", "F"]},
            "days": {"type": "array", "items": {"enum": [1, 2, 3]}, "minItems": 1, "maxItems": 2},
        },
        "required": ["unit", "days"],
    },
}
CLOCK: dict[str, Any] = {"name": "clock", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": tool} for tool in (WEATHER, CLOCK)]
# The demo would answer this by itself.
QUESTION = [{"role": "user", "content": "What is 7*43?"}]
GREEDY: dict[str, Any] = {"messages": QUESTION, "temperature": 0, "seed": 1}
NAMED = {"type": "function", "function": {"name": "weather"}}


def post(server: Running, path: str, body: dict[str, Any]) -> Any:
    told = ask(server.port, path, body)
    assert told.status == 200, told.content
    return told.json


def _begin_calls(server: Running) -> set[int]:
    """Tokens that stand for `<`, or for more that begins so."""
    resident = server.service.shelf.current
    assert resident is not None
    vocabulary = resident.model.vocabulary
    return {each for each in range(vocabulary.size) if vocabulary.piece(each).startswith(b"<t")} | {
        each for each in range(vocabulary.size) if vocabulary.piece(each) == b"<"
    }


def check(name: str, arguments: dict[str, Any]) -> None:
    if name == "clock":
        assert arguments == {}
        return
    assert name == "weather"
    assert arguments.keys() == {"unit", "days"}
    assert arguments["unit"] in ("C", "F")
    assert 1 <= len(arguments["days"]) <= 2
    assert set(arguments["days"]) <= {1, 2, 3}


@pytest.mark.parametrize(
    "choice, names",
    [
        ("required", ("weather", "clock")),
        (NAMED, ("weather",)),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "clock"}}],
                },
            },
            ("clock",),
        ),
    ],
)
def test_a_chat_ends_in_a_call(server: Running, choice: Any, names: tuple[str, ...]) -> None:
    body = GREEDY | {"tools": TOOLS, "tool_choice": choice}
    (told,) = post(server, CHAT, body)["choices"]
    assert told["finish_reason"] == "tool_calls"
    assert told["message"]["reasoning_content"]  # a thought is still free
    assert told["message"]["content"] is None
    for call in told["message"]["tool_calls"]:
        assert call["function"]["name"] in names
        check(call["function"]["name"], json.loads(call["function"]["arguments"]))
    if choice == NAMED:
        assert len(told["message"]["tool_calls"]) == 1


def test_it_comes_without_a_thought_and_in_a_stream_too(server: Running) -> None:
    body = GREEDY | {"tools": TOOLS, "tool_choice": NAMED, "reasoning_effort": "none"}
    chunks = events(ask(server.port, CHAT, body | {"stream": True}).content)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert not any(delta.get("reasoning_content") or delta.get("content") for delta in deltas)
    calls = [call["function"] for delta in deltas for call in delta.get("tool_calls", ())]
    check(calls[0]["name"], json.loads("".join(call["arguments"] for call in calls)))
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_one_call_where_they_may_not_be_parallel(server: Running) -> None:
    body = GREEDY | {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False}
    for seed in range(3):
        (told,) = post(server, CHAT, body | {"temperature": 1.0, "seed": seed})["choices"]
        assert len(told["message"]["tool_calls"]) == 1


def test_any_seed_gives_a_call_that_fits(server: Running) -> None:
    body = GREEDY | {"tools": TOOLS, "tool_choice": "required", "temperature": 1.5, "n": 4}
    for choice in post(server, CHAT, body | {"max_tokens": 1500})["choices"]:
        assert choice["message"]["tool_calls"]
        for call in choice["message"]["tool_calls"]:
            check(call["function"]["name"], json.loads(call["function"]["arguments"]))


def test_responses_and_messages(server: Running) -> None:
    tools = [{"type": "function", **tool} for tool in (WEATHER, CLOCK)]
    choice = {"type": "function", "name": "weather"}
    body = {"input": "What is 7*43?", "temperature": 0, "tools": tools, "tool_choice": choice}
    told = post(server, "/v1/responses", body)
    (call,) = [item for item in told["output"] if item["type"] == "function_call"]
    check(call["name"], json.loads(call["arguments"]))
    body = {
        "messages": QUESTION,
        "max_tokens": 1000,
        "temperature": 0,
        "tools": [
            {"name": tool["name"], "input_schema": tool["parameters"]} for tool in (WEATHER, CLOCK)
        ],
    }
    for kind in ({"type": "any"}, {"type": "tool", "name": "weather"}):
        told = post(server, "/v1/messages", body | {"tool_choice": kind})
        assert told["stop_reason"] == "tool_use"
        assert told["content"][0]["type"] == "thinking"
        for block in told["content"][1:]:
            check(block["name"], block["input"])


def test_a_form_beside_tools_is_for_the_answer(server: Running) -> None:
    schema = {
        "type": "object",
        "properties": {"result": {"type": "integer"}},
        "required": ["result"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    calculator = {
        "type": "function",
        "function": {
            "name": "calculator",
            "description": "Work out an expression.",
            "parameters": {
                "type": "object",
                "properties": {"expression": {"type": "string"}},
                "required": ["expression"],
            },
        },
    }
    body: dict[str, Any] = GREEDY | {"tools": [calculator], "response_format": form}
    asked = [{"role": "user", "content": "What is 3394*35979?"}]
    (told,) = post(server, CHAT, body | {"messages": asked})["choices"]
    (call,) = told["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"expression": "3394*35979"}
    for choice in post(server, CHAT, body | {"temperature": 1.5, "n": 6})["choices"]:
        message = choice["message"]
        if "tool_calls" in message:
            assert message["content"] is None
            arguments = json.loads(message["tool_calls"][0]["function"]["arguments"])
            assert arguments.keys() == {"expression"}
        else:
            assert isinstance(json.loads(message["content"])["result"], int)
    # Where nothing may begin a call, what is left is the form.
    no_call = {str(token): -100 for token in _begin_calls(server)}
    (told,) = post(server, CHAT, body | {"logit_bias": no_call})["choices"]
    assert isinstance(json.loads(told["message"]["content"])["result"], int)
    # A call that has to come leaves the form no room.
    (told,) = post(server, CHAT, body | {"tool_choice": "required"})["choices"]
    assert told["message"]["tool_calls"][0]["function"]["name"] == "calculator"
