from __future__ import annotations

import pytest

from qwq_gguf.chat.earlier_thoughts import (
    answer_only,
    with_thoughts,
    with_thoughts_in_text,
    without_thoughts,
)
from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.errors import TemplateError


@pytest.mark.parametrize(
    "text, answer",
    [
        ("<think>\nhm\n</think>\n\n301", "301"),
        ("hm\n</think>\n\n301\n", "301\n"),
        ("a</think>b</think>c", "c"),
        ("301", "301"),
        ("still thinking</think>", ""),
    ],
)
def test_the_answer_is_what_follows_the_last_thought(text: str, answer: str) -> None:
    assert answer_only(text) == answer


def test_only_assistant_turns_lose_their_thoughts() -> None:
    call = ToolCall("calculator", {"expression": "1"})
    messages = (
        Message("user", "what is </think>?"),
        Message("assistant", "hm</think>\n\na tag", tool_calls=(call,), thinking="hm"),
        Message("tool", "x</think>y"),
    )
    assert without_thoughts(messages) == (
        messages[0],
        Message("assistant", "a tag", tool_calls=(call,)),
        messages[2],
    )


def test_a_message_is_checked() -> None:
    with pytest.raises(TemplateError):
        Message("user<|im_end|>", "x")  # type: ignore[arg-type]
    with pytest.raises(TemplateError):
        Message("user", None)  # type: ignore[arg-type]


def test_the_shape_templates_expect() -> None:
    call = ToolCall("calculator", {"expression": "1"})
    assert Message("assistant", "", tool_calls=(call,)).to_json() == {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "type": "function",
                "function": {"name": "calculator", "arguments": {"expression": "1"}},
            }
        ],
    }
    assert Message("tool", "1", name="calculator").to_json() == {
        "role": "tool",
        "content": "1",
        "name": "calculator",
    }


TURNS = (
    Message("user", "what is </think>?"),
    Message("assistant", "hm</think>\n\na tag", thinking="hm"),
    Message("assistant", "b"),
)


def test_a_template_finds_the_thought_in_its_field() -> None:
    user, first, second = (m.to_json() for m in with_thoughts(TURNS, "reasoning_content"))
    assert user == TURNS[0].to_json()
    assert first == {"role": "assistant", "content": "a tag", "reasoning_content": "hm"}
    assert second == {"role": "assistant", "content": "b"}


def test_a_template_without_a_field_finds_it_in_the_text() -> None:
    _, first, second = with_thoughts_in_text(
        (TURNS[0], Message("assistant", "a", thinking="hm"), TURNS[2]), open="[T]", close="[/T]"
    )
    assert first.to_json() == {"role": "assistant", "content": "[T]\nhm\n[/T]\n\na"}
    assert second == TURNS[2]


def test_a_thought_is_nobodys_business_unless_somebody_says_so() -> None:
    assert TURNS[1].to_json() == {"role": "assistant", "content": "hm</think>\n\na tag"}
