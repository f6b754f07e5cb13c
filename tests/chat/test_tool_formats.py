from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.chat.loose_json import MAX_DIGITS, MAX_NESTING
from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.chat.tool_formats import HERMES, MAX_CALL_CHARS, MAX_CALLS

CALL = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "2*3"}}\n</tool_call>'
PARSED = ToolCall("calculator", {"expression": "2*3"})


def test_text_around_a_call_is_kept() -> None:
    parsed = HERMES.parse(f"Let me see.\n\n{CALL}\n")
    assert (parsed.text, parsed.calls, parsed.errors) == ("Let me see.", (PARSED,), ())


def test_an_answer_without_calls_is_only_text() -> None:
    assert HERMES.parse("  42 ").text == "42"


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
        r'<tool_call>{"name": "calculator", "arguments": " \n{\"expression\": \"2*3\"}"}',
        r'<tool_call>{"name": "calculator", "arguments": "{\"expression\": \"2*3\"}}"}',
        "<tool_call>" + json.dumps(CALL[12:-13]) + "</tool_call>",
        CALL.replace('"', "'"),
        CALL.replace("}}", ",},}"),
        CALL.replace("{", "}\n{", 1),
        f"<tool_call>[{CALL[12:-13]}]</tool_call>",
        f"<tool_call>[{CALL[12:-13]},]</tool_call>",
        CALL.replace("}}", "}}, is what I ask."),
        CALL.replace("{", "{ // what to compute\n", 1),
        CALL.replace("}}", "} /* the end */ }  # done"),
        CALL.replace('"name"', "name").replace('"expression"', "expression"),
    ],
)
def test_near_misses_are_understood(answer: str) -> None:
    parsed = HERMES.parse(answer)
    assert (parsed.text, parsed.calls, parsed.errors) == ("", (PARSED,), ())


def test_calls_keep_their_order_even_unclosed() -> None:
    second = CALL.replace("2*3", "4*5")
    parsed = HERMES.parse(CALL.removesuffix("</tool_call>") + second)
    assert [call.arguments["expression"] for call in parsed.calls] == ["2*3", "4*5"]


def test_arguments_may_hold_the_tags() -> None:
    arguments = {"text": "</tool_call> and <tool_call>"}
    body = json.dumps({"name": "echo", "arguments": arguments})
    parsed = HERMES.parse(f"<tool_call>{body}</tool_call>!")
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
        ("{'name': 'x', 'arguments': {'a': NaN}}", "NaN"),
        ('{"name": "x", "arguments": {"a": 1e999}}', "1e999 is too large a number"),
        ("{'name': 'x', 'arguments': {'a': -1e999}}", "-1e999 is too large a number"),
        ('{"name": "x", "arguments": {"a": ' + "9" * 5000 + "}}", "1000 digits"),
        ("{'name': 'x', 'arguments': {'a': " + "9" * 5000 + "}}", "1000 digits"),
        ("{'name': 'x', 'arguments': {'a': it}}", "not valid JSON"),
        ("{'name': 'x', 'arguments': {'a': 'it's'}}", "not valid JSON"),
        (r'{"name": "x", "arguments": {"a": "\ud83d"}}', "surrogate"),
        ('{"name": "x", "arguments": "{} {}"}', "more than one"),
        ('{"name": "x", "arguments": "go on"}', '"arguments" of x: not valid JSON'),
        (r'{"name": "x", "arguments": "\"{}\""}', "not a JSON object"),
        ('{"name": "x", "arguments": ' + '{"a":' * 33 + "1" + "}" * 34, "nested too deeply"),
        ("{'name': 'x', 'arguments': " + "{'a':" * 300 + "1" + "}" * 301, "nested too deeply"),
        ("[]", "not a JSON object"),
        ('{"name": "x"\n{"name": "y"}', "what follows it in the same tag was not run"),
        ('{"name": "x", "arguments": ' + '{"a":' * 30000, "nested too deeply"),
        ('{"name": "x", "arguments": {"a": "' + "y" * MAX_CALL_CHARS + '"}}', "not valid JSON"),
    ],
)
def test_what_is_wrong_is_said(body: str, error: str) -> None:
    parsed = HERMES.parse(f"<tool_call>{body}</tool_call>")
    assert parsed.calls == ()
    assert len(parsed.errors) == 1
    assert error in parsed.errors[0]


def test_a_broken_call_does_not_hide_the_next() -> None:
    parsed = HERMES.parse(f"<tool_call>oops</tool_call>{CALL}")
    assert (len(parsed.errors), parsed.calls) == (1, (PARSED,))


def numbered(numbers: list[int]) -> list[str]:
    return [json.dumps({"name": "f", "arguments": {"n": number}}) for number in numbers]


@pytest.mark.parametrize(
    "form",
    [
        lambda first, second: f"<tool_call>\n{first}\n{second}\n</tool_call>",
        lambda first, second: f"<tool_call>{first}{second}</tool_call>",
        lambda first, second: f"<tool_call>{first}}}, {second}",
        lambda first, second: f"<tool_call>{first}\nand then\n{second}</tool_call>",
        lambda first, second: f"<tool_call>[{first}, {second}]</tool_call>",
        lambda first, second: f"<tool_call>[{first}]\n[{second}]</tool_call>",
        lambda first, second: f"<tool_call>```json\n{first}\n```\n```\n{second}\n```</tool_call>",
        lambda first, second: f"<tool_call>{first}<tool_call>{second}",
        lambda first, second: f"<tool_call>{first}</tool_call> and <tool_call>{second}</tool_call>",
    ],
)
def test_of_two_calls_none_is_lost(form: Callable[[str, str], str]) -> None:
    parsed = HERMES.parse(form(*numbered([1, 2])))
    assert [call.arguments["n"] for call in parsed.calls] == [1, 2]
    assert parsed.errors == ()


def test_one_that_is_no_call_comes_back_beside_one_that_is() -> None:
    (good,) = numbered([1])
    for body in (f'{good}\n{{"no": 1}}', f'[{{"no": 1}}, {good}]', f"{good} {{oops}}"):
        parsed = HERMES.parse(f"<tool_call>{body}</tool_call>")
        assert (len(parsed.calls), len(parsed.errors)) == (1, 1)


@pytest.mark.parametrize("separator", ["", "</tool_call><tool_call>", ",", "\n"])
def test_the_number_of_calls_is_bounded(separator: str) -> None:
    bodies = numbered(list(range(MAX_CALLS + 50)))
    for answer in (separator.join(bodies), f"[{','.join(bodies)}]"):
        parsed = HERMES.parse(f"<tool_call>{answer}</tool_call>")
        assert [call.arguments["n"] for call in parsed.calls] == list(range(MAX_CALLS))
        assert "only the first" in parsed.errors[-1]
    assert "only the first" in HERMES.parse(CALL * (MAX_CALLS + 1)).errors[-1]
    assert len(HERMES.parse("<tool_call>" + "{}" * 1000).errors) == MAX_CALLS + 1


def test_whatever_is_taken_for_a_call_can_be_said_again() -> None:
    """A template has its limits too: what it cannot print would end the chat."""
    deep = '{"a":' * (MAX_NESTING - 2) + "1" + "}" * (MAX_NESTING - 2)
    large = "-" + "9" * (MAX_DIGITS - 1)
    body = f'{{"name": "f", "arguments": {{"deep": {deep}, "large": {large}, "float": 1e308}}}}'
    (call,) = HERMES.parse(f"<tool_call>{body}</tool_call>").calls
    said = ChatTemplate("{{ messages | tojson }}").render([Message("assistant", "", (call,))])
    assert json.loads(said.text)[0]["tool_calls"][0]["function"]["arguments"] == call.arguments


@pytest.mark.parametrize(
    "thought, calls",
    [
        (f"I should use it.\n{CALL}", CALL),
        (f"I should.\n{CALL}\n{CALL}\n", f"{CALL}\n{CALL}\n"),
        (f"I should.\n{CALL.removesuffix('</tool_call>')}", CALL.removesuffix("</tool_call>")),
        (f"A <tool_call> it is.\n{CALL}", CALL),
        (f"As {CALL} says.\n{CALL}", CALL),
        ("So:\n<tool_call>\n{broken\n</tool_call>", "<tool_call>\n{broken\n</tool_call>"),
        ('So:\n<tool_call>\n{"name": "cal', '<tool_call>\n{"name": "cal'),
        ("<tool_call>" * 100 + CALL, CALL),
        ("So <tool_call>calculator(2*3)</tool_call>", "<tool_call>calculator(2*3)</tool_call>"),
        ("So <tool_call></tool_call>", "<tool_call></tool_call>"),
        (f"A <tool_call> {'is a tag ' * 40} </tool_call>", None),
        (f"It would be {CALL}. But no.", None),
        (f"It would be {CALL.removesuffix('</tool_call>')} or so.", None),
        ("I could use <tool_call>", None),
        ("I could use <tool_call> here", None),
        ("nothing", None),
        ("", None),
    ],
)
def test_only_calls_that_end_a_thought_are_calls(thought: str, calls: str | None) -> None:
    at = HERMES.trailing_calls(thought)
    assert (None if at is None else thought[at:]) == calls


@given(st.data())
def test_what_may_end_in_a_call_is_not_given_up_before(data: st.DataObject) -> None:
    bodies = data.draw(
        st.lists(
            st.sampled_from([CALL[11:-12], "\n{bad", " [1] ", "", "words"]), min_size=1, max_size=40
        )
    )
    text = "\n".join(f"<tool_call>{body}</tool_call>" for body in bodies)
    assert HERMES.trailing_calls("so " + text) == 3
    cut = data.draw(st.integers(len("<tool_call>"), len(text)))
    assert HERMES.may_be_last(text[:cut])
    assert not HERMES.may_be_last(text + "\nNo.")
    assert HERMES.may_be_last("<tool_call> is")
    assert not HERMES.may_be_last("<tool_call> is" + " a tag" * 50)


@given(st.text(alphabet='<tool_call>/{}"name:[],\\ \n1'))
def test_nothing_raises(answer: str) -> None:
    HERMES.parse(answer)
    HERMES.parse("<tool_call>" + answer)
