"""Saved chats: what is written is read back, and nothing else is."""

from __future__ import annotations

import json

import pytest

from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.transcript import Transcript, as_jsonl, as_markdown, read_transcript

CALL = ToolCall("calculator", {"expression": "7*43"})
MESSAGES = (
    Message("system", "Be brief."),
    Message("user", "What is\n7*43?"),
    Message("assistant", "", (CALL,), thinking="Let me ask."),
    Message("tool", "301", name="calculator"),
    Message("assistant", "It is \\boxed{301} \u2713", thinking="So.\n\nDone."),
)


def test_what_is_written_is_read_back() -> None:
    chat = Transcript("QwQ", MESSAGES)
    assert read_transcript(chat.to_text().encode()) == chat
    empty = Transcript("QwQ", ())
    assert read_transcript(empty.to_text().encode()) == empty


def stored(*messages: object, schema: str = "qwq-gguf/transcript/1") -> bytes:
    return json.dumps({"schema": schema, "model": "m", "messages": messages}).encode()


USER, ANSWER = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Expecting value"),
        (b"[]", "no saved chat"),
        (b"[" * 1000, "nested"),
        (stored(schema="other/1"), "no saved chat"),
        (stored("Hi"), "message 1 is no object"),
        (stored(USER, {"role": "robot", "content": ""}), "message 2 has no known role"),
        (stored({"role": "user", "content": 3}), "message 1 has no known role"),
        (stored(USER, {**ANSWER, "tool_calls": [{"name": 1}]}), "a tool call has a name"),
        (stored(USER, {**ANSWER, "name": 1}), "name is a text"),
        (stored(USER), "end with an answer"),
        (stored(ANSWER), "begin with a question"),
        (stored(USER, {"role": "system", "content": ""}, ANSWER), "in the middle"),
    ],
)
def test_nothing_else_is_read(content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_transcript(content)


def test_markdown_shows_thoughts_apart() -> None:
    text = as_markdown("QwQ", MESSAGES)
    assert text.startswith("# A chat with QwQ\n\n## System\n\nBe brief.\n\n## Question\n")
    assert "## Answer\n\n> So.\n>\n> Done.\n\nIt is \\boxed{301} \u2713\n" in text
    assert "## Tool calculator\n\n301\n" in text
    assert '    {"name": "calculator", "arguments": {"expression": "7*43"}}' in text


def test_jsonl_is_a_line_that_other_programs_read() -> None:
    text = as_jsonl(MESSAGES)
    assert text.count("\n") == 1
    messages = json.loads(text)["messages"]
    assert [each["role"] for each in messages] == [each.role for each in MESSAGES]
    assert messages[4]["reasoning_content"] == "So.\n\nDone."
    assert messages[2]["tool_calls"] == [CALL.to_json()]
