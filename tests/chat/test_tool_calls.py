from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.chat.tool_calls import MAX_CALL_CHARS, MAX_CALLS, parse_tool_calls

CALL = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "2*3"}}\n</tool_call>'
PARSED = ToolCall("calculator", {"expression": "2*3"})


def test_text_around_a_call_is_kept() -> None:
    parsed = parse_tool_calls(f"Let me see.\n\n{CALL}\n")
    assert (parsed.text, parsed.calls, parsed.errors) == ("Let me see.", (PARSED,), ())


def test_an_answer_without_calls_is_only_text() -> None:
    assert parse_tool_calls("  42 ").text == "42"


@pytest.mark.parametrize(
    "answer",
    [
        CALL.removesuffix("</tool_call>"),
        CALL.replace("\n", ""),
        CALL.replace("}}", "}}}"),
        CALL.replace("\n{", "```json\n{").replace("}\n", "}\n```"),
        r'<tool_call>{"name": "calculator", "arguments": "{\"expression\": \"2*3\"}"}</tool_call>',
        '<tool_call>{"name": "calculator", "parameters": {"expression": "2*3"}}</tool_call>',
        CALL.replace('{"name', '{"function": {"name').replace("}}", "}}}"),
    ],
)
def test_near_misses_are_understood(answer: str) -> None:
    parsed = parse_tool_calls(answer)
    assert (parsed.text, parsed.calls, parsed.errors) == ("", (PARSED,), ())


def test_calls_keep_their_order_even_unclosed() -> None:
    second = CALL.replace("2*3", "4*5")
    parsed = parse_tool_calls(CALL.removesuffix("</tool_call>") + second)
    assert [call.arguments["expression"] for call in parsed.calls] == ["2*3", "4*5"]


def test_arguments_may_hold_the_tags() -> None:
    arguments = {"text": "</tool_call> and <tool_call>"}
    body = json.dumps({"name": "echo", "arguments": arguments})
    parsed = parse_tool_calls(f"<tool_call>{body}</tool_call>!")
    assert (parsed.calls, parsed.text) == ((ToolCall("echo", arguments),), "!")


@pytest.mark.parametrize(
    "body, error",
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("[1]", "not a JSON object"),
        ("{}", 'no "name"'),
        ('{"name": 3}', 'no "name"'),
        ('{"name": "x", "arguments": [1]}', "not a JSON object"),
        ('{"name": "x", "arguments": {"a": NaN}}', "NaN is not a number"),
        ('{"name": "x", "arguments": {"a": ' + "9" * 5000 + "}}", "not valid JSON"),
        ('{"name": "x", "arguments": ' + '{"a":' * 30000, "nested too deeply"),
        ('{"name": "x", "arguments": {"a": "' + "y" * MAX_CALL_CHARS + '"}}', "not valid JSON"),
    ],
)
def test_what_is_wrong_is_said(body: str, error: str) -> None:
    parsed = parse_tool_calls(f"<tool_call>{body}</tool_call>")
    assert parsed.calls == ()
    assert len(parsed.errors) == 1
    assert error in parsed.errors[0]


def test_a_broken_call_does_not_hide_the_next() -> None:
    parsed = parse_tool_calls(f"<tool_call>oops</tool_call>{CALL}")
    assert (len(parsed.errors), parsed.calls) == (1, (PARSED,))


def test_the_number_of_calls_is_bounded() -> None:
    parsed = parse_tool_calls(CALL * (MAX_CALLS + 50))
    assert len(parsed.calls) == MAX_CALLS
    assert "only the first" in parsed.errors[-1]


@given(st.text(alphabet='<tool_call>/{}"name:[],\\ \n1'))
def test_nothing_raises(answer: str) -> None:
    parse_tool_calls(answer)
    parse_tool_calls("<tool_call>" + answer)
