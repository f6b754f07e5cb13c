"""Messages as JSON for a file of ours, and back from one that anybody may have made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qwq_gguf.chat.messages import ROLES, Message, ToolCall

__all__ = ["MOST_MESSAGES", "messages_from_json", "messages_to_json"]

MOST_MESSAGES = 100_000


def messages_to_json(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """All of them with all they have, thoughts too."""
    return [_to_json(message) for message in messages]


def messages_from_json(raw: object) -> tuple[Message, ...]:
    """ValueError, which says what is wrong, for anything but what `messages_to_json` gives."""
    if not isinstance(raw, list) or len(raw) > MOST_MESSAGES:
        raise ValueError(f"messages are no list of at most {MOST_MESSAGES}")
    return tuple(_from_json(number, each) for number, each in enumerate(raw, start=1))


def _to_json(message: Message) -> dict[str, Any]:
    data = message.to_json()
    if message.tool_calls:
        data["tool_calls"] = [
            {"name": call.name, "arguments": dict(call.arguments)} for call in message.tool_calls
        ]
    if message.thinking:
        data["thinking"] = message.thinking
    return data


def _from_json(number: int, raw: object) -> Message:
    if not isinstance(raw, dict):
        raise ValueError(f"message {number} is no object")
    role, content, name, thinking = (
        raw.get(key, usual)
        for key, usual in (("role", None), ("content", None), ("name", None), ("thinking", ""))
    )
    if role not in ROLES:
        raise ValueError(f"message {number} has no role of {', '.join(ROLES)}")
    if not isinstance(content, str) or not isinstance(thinking, str):
        raise ValueError(f"message {number} has a content or a thinking that is no text")
    if name is not None and not isinstance(name, str):
        raise ValueError(f"message {number} has a name that is no text")
    calls = raw.get("tool_calls", [])
    if not isinstance(calls, list):
        raise ValueError(f"message {number} has tool_calls that are no list")
    return Message(role, content, tuple(_call(number, each) for each in calls), name, thinking)


def _call(number: int, raw: object) -> ToolCall:
    match raw:
        case {"name": str(name), "arguments": dict(arguments)}:
            return ToolCall(name, arguments)
    raise ValueError(f"message {number} has a call that is none")
