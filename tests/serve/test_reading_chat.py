"""Bodies of chat completions: what they come to, and which field is to blame."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.errors import ChainError, ModelError, PromptTooLongError
from qwq_gguf.profiles import load_profile
from qwq_gguf.serve.ask import Ask, asked_profile
from qwq_gguf.serve.reading.chat import read_chat
from qwq_gguf.serve.reading.fields import read_body
from qwq_gguf.serve.refusal import Refusal, refusal_of

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]


def read(**body: Any) -> Ask:
    return read_chat(read_body(json.dumps({"messages": HELLO} | body).encode()))


def refused(**body: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(**body)
    return caught.value


def test_what_is_left_out_is_left_to_the_profile() -> None:
    ask = read()
    assert ask == Ask(messages=(Message("user", "Hello"),))
    profile = load_profile("qwq")
    assert asked_profile(profile, ask) == profile


def test_null_is_left_out() -> None:
    names = ("temperature", "max_tokens", "stop", "seed", "tools", "n", "logit_bias", "stream")
    more = ("response_format", "tool_choice", "reasoning_effort", "logprobs", "stream_options")
    assert read(**dict.fromkeys((*names, *more))) == read()


def test_unknown_fields_are_ignored() -> None:
    assert read(user="me", store=True, metadata={"a": 1}, service_tier="auto", frob=3) == read()


def test_numbers_of_the_chain() -> None:
    ask = read(temperature=0, top_p=1, top_k=-1, min_p=0.1, repetition_penalty=1.1, seed=2**40)
    assert ask.settings == {
        "temperature": 0,
        "top_p": 1,
        "top_k": 0,
        "min_p": 0.1,
        "repeat_penalty": 1.1,
    }
    assert ask.seed == 2**40 % (2**32 - 1)
    assert read(logit_bias={"7": -100, "8": 2.5}).settings == {
        "logit_bias": ((7, -100.0), (8, 2.5))
    }


@pytest.mark.parametrize(
    "names, limit",
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6, "max_tokens": 5}, 6),
        ({"max_tokens": -1}, None),
        ({"n_predict": 7}, 7),
        ({"max_tokens": 2**40}, 1 << 24),
    ],
)
def test_limits_of_a_reply(names: dict[str, int], limit: int | None) -> None:
    assert read(**names).max_tokens == limit


@pytest.mark.parametrize(
    "body",
    [
        {"thinking_budget": 300},
        {"thinking_budget_tokens": 300},
        {"reasoning_budget": 300},
        {"reasoning_budget_tokens": 300},
        {"thinking_token_budget": 300},
        {"thinking": {"budget_tokens": 300}},
        {"reasoning": {"max_tokens": 300}},
        {"chat_template_kwargs": {"thinking_budget": 300}},
        {"thinking_budget": 300, "reasoning_budget": 300},
    ],
)
def test_the_budget_has_many_names(body: dict[str, Any]) -> None:
    ask = read(**body)
    assert ask.budget == 300
    assert asked_profile(load_profile("qwq"), ask).governor.budget == 300


@pytest.mark.parametrize(
    "body, think",
    [
        ({"reasoning_effort": "none"}, False),
        ({"enable_thinking": False}, False),
        ({"thinking": {"type": "disabled"}}, False),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, True),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"chat_template_kwargs": {"enable_thinking": True}}, True),
        ({"reasoning": {"enabled": False}}, False),
        ({"reasoning": {"effort": "none"}}, False),
        ({"reasoning_effort": "high"}, None),
    ],
)
def test_thoughts_on_and_off(body: dict[str, Any], think: bool | None) -> None:
    assert read(**body).think is think


def test_no_budget_is_no_thought() -> None:
    profile = asked_profile(load_profile("qwq"), read(thinking_budget=0))
    assert profile.wants_thoughts is False
    assert asked_profile(profile, read(thinking_budget=-1, enable_thinking=True)).wants_thoughts


def test_effort_and_last_words() -> None:
    ask = read(reasoning_effort="low", reasoning_budget_message="Enough.")
    profile = asked_profile(load_profile("qwq"), ask)
    assert (profile.template.effort, profile.governor.message) == ("low", "Enough.")


def test_names_that_contradict_each_other() -> None:
    refusal = refused(thinking_budget=3, reasoning_budget=4)
    assert refusal.param == "reasoning_budget"
    assert "contradict" in refusal.message
    refused(reasoning_effort="none", enable_thinking=True)
    refused(thinking_budget=0, enable_thinking=True)


def test_messages() -> None:
    call = {"id": "b", "function": {"name": "g", "arguments": '{"x": 1}'}}
    ask = read(
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": ""}}, call],
            },
            {"role": "tool", "tool_call_id": "b", "content": "second"},
            {"role": "tool", "tool_call_id": "a", "content": "first"},
            {"role": "assistant", "content": "done"},
        ]
    )
    assert ask.messages == (
        Message("system", "Be brief."),
        Message("user", "a\nb"),
        Message("assistant", "", (ToolCall("f"), ToolCall("g", {"x": 1})), thinking="hm"),
        Message("tool", "first", name="f"),  # templates count: results come in order of calls
        Message("tool", "second", name="g"),
        Message("assistant", "done"),
    )


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def test_tools() -> None:
    ask = read(tools=[TOOL], parallel_tool_calls=False)
    assert [tool.name for tool in ask.tools] == ["f"]
    assert ask.one_call
    assert read(tools=[TOOL], tool_choice="none").tools == ()
    assert read(tools=[TOOL], tool_choice="auto").tools == ask.tools


@pytest.mark.parametrize(
    "body, param",
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [3]}, "messages[0]"),
        ({"messages": [{"role": "wizard", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0].type",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"function": {"name": "f", "arguments": "[1]"}}],
                    }
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_k": 1.5}, "top_k"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -2}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"n": 1000}, "n"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": "x" * 300}, "stop"),
        ({"stop": [3]}, "stop"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"7": 101}}, "logit_bias.7"),
        ({"logit_bias": {"-7": 1}}, "logit_bias"),
        ({"logit_bias": {str(n): 1 for n in range(1025)}}, "logit_bias"),
        ({"stream": "yes"}, "stream"),
        ({"reasoning_effort": "enormous"}, "reasoning_effort"),
        ({"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs.messages"),
        ({"tools": [TOOL] * 2}, "tools"),
        ({"tools": [TOOL] * 257}, "tools"),
        ({"tools": [{"type": "code_interpreter"}]}, "tools[0].type"),
        (
            {"tools": [{"type": "function", "function": {"name": "a b"}}]},
            "tools[0].function.name",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": 3}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "web"}}, "tool_choice.type"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice",
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {}}},
            "tool_choice.function.name",
        ),
        ({"tools": [TOOL], "grammar": 'root ::= "x"'}, "grammar"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_object"}, "grammar": 'root ::= "x"'}, "grammar"),
    ],
)
def test_what_is_wrong_is_told_by_its_name(body: dict[str, Any], param: str) -> None:
    refusal = refused(**body)
    assert refusal.param == param
    told = refusal.to_openai()["error"]
    assert told["type"] == "invalid_request_error"
    assert told["param"] == param
    assert refusal.status == 400


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"3",
        b"{",
        b'{"messages": NaN}',
        b'{"messages": 1e999}',
        b'{"messages": "\\ud800"}',
        b"\xff\xfe{}",
        b'{"a": ' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": [' + b"{}," * 2_000_000 + b"{}]}",
    ],
    ids=range(11),
)
def test_bodies_that_are_none(raw: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        read_body(raw)
    assert caught.value.status == 400


def test_a_number_without_a_stage_is_refused_and_an_idle_one_is_not() -> None:
    profile = load_profile("qwq")
    stage = "xtc_probability"
    assert asked_profile(profile, Ask(settings={stage: 0.0})) == profile
    with pytest.raises(Refusal, match="no stage xtc"):
        asked_profile(profile, Ask(settings={stage: 0.5}))


def test_errors_tell_no_path_and_no_cause() -> None:
    told = refusal_of(ModelError("the file is gone", path="/secret/model.gguf"))
    assert told.status == 500
    assert "secret" not in json.dumps(told.to_openai()) + json.dumps(told.to_anthropic())
    assert refusal_of(ZeroDivisionError("x")).status == 500
    assert refusal_of(ChainError("top_p: out of range", path="/secret")).to_openai() == {
        "error": {
            "message": "top_p: out of range",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_value",
        }
    }
    assert refusal_of(PromptTooLongError("too long")).code == "context_length_exceeded"
