"""What was said in a chat, as JSON that is read back, and as Markdown and JSONL. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qwq_gguf.chat.messages import ROLES, Message, ToolCall
from qwq_gguf.json_text import parse_json

__all__ = ["MOST_BYTES", "Transcript", "as_jsonl", "as_markdown", "read_transcript"]

SCHEMA = "qwq-gguf/transcript/1"
MOST_BYTES = 64 << 20  # no context holds as much text
_MOST_BUILT = 256 << 20
_TITLES = {"system": "System", "developer": "System", "user": "Question", "assistant": "Answer"}


@dataclass(frozen=True, slots=True)
class Transcript:
    """The turns of a chat, thoughts and tool calls included, and the model's name."""

    model: str
    messages: tuple[Message, ...]

    def to_text(self) -> str:
        """JSON that `read_transcript` reads back to the same."""
        value = {
            "schema": SCHEMA,
            "model": self.model,
            "messages": [_stored(message) for message in self.messages],
        }
        return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def read_transcript(content: bytes) -> Transcript:
    """The chat in a file that `Transcript.to_text` made. ValueError, in words, for others."""
    value = parse_json(content, most=_MOST_BUILT)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ValueError(f"it is no saved chat: its schema is not {SCHEMA}")
    model, messages = value.get("model"), value.get("messages")
    if not isinstance(model, str) or not isinstance(messages, list):
        raise ValueError("model is a text and messages is a list")
    read = tuple(_message(entry, number) for number, entry in enumerate(messages, 1))
    _check_order(read)
    return Transcript(model, read)


def as_markdown(model: str, messages: Sequence[Message]) -> str:
    """For people: a heading a turn, the thought as a quotation above its answer."""
    parts = [f"# A chat with {model}"]
    for message in messages:
        title = _TITLES.get(message.role, f"Tool {message.name or ''}".rstrip())
        parts.append(f"## {title}")
        if message.thinking.strip():
            quoted = "\n".join(
                f"> {line}".rstrip() for line in message.thinking.strip().split("\n")
            )
            parts.append(quoted)
        parts += [f"    {json.dumps(call.to_json()['function'])}" for call in message.tool_calls]
        if message.content.strip():
            parts.append(message.content.strip())
    return "\n\n".join(parts) + "\n"


def as_jsonl(messages: Sequence[Message]) -> str:
    """For training and for other programs: the conversation as one line, as the OpenAI API has
    it; a thought is `reasoning_content`.
    """
    return json.dumps({"messages": [_openai(each) for each in messages]}, ensure_ascii=False) + "\n"


def _openai(message: Message) -> dict[str, Any]:
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.thinking:
        value["reasoning_content"] = message.thinking
    if message.tool_calls:
        value["tool_calls"] = [call.to_json() for call in message.tool_calls]
    if message.name is not None:
        value["name"] = message.name
    return value


def _stored(message: Message) -> dict[str, Any]:
    value: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.thinking:
        value["thinking"] = message.thinking
    if message.tool_calls:
        value["tool_calls"] = [
            {"name": call.name, "arguments": dict(call.arguments)} for call in message.tool_calls
        ]
    if message.name is not None:
        value["name"] = message.name
    return value


def _message(value: object, number: int) -> Message:
    if not isinstance(value, dict):
        raise ValueError(f"message {number} is no object")
    role, content = value.get("role"), value.get("content")
    thinking, name, calls = (
        value.get("thinking", ""),
        value.get("name"),
        value.get("tool_calls", []),
    )
    if role not in ROLES or not isinstance(content, str) or not isinstance(thinking, str):
        raise ValueError(f"message {number} has no known role, or its content is no text")
    if not (name is None or isinstance(name, str)) or not isinstance(calls, list):
        raise ValueError(f"message {number}: name is a text and tool_calls is a list")
    return Message(role, content, tuple(_call(each, number) for each in calls), name, thinking)


def _call(value: object, number: int) -> ToolCall:
    match value:
        case {"name": str(name), "arguments": dict(arguments)}:
            return ToolCall(name, arguments)
    raise ValueError(f"message {number}: a tool call has a name and arguments")


def _check_order(messages: Sequence[Message]) -> None:
    """A system turn stands first; a question comes before all that answers it."""
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    if any(message.role in ("system", "developer") for message in turns):
        raise ValueError("a system turn stands in the middle")
    if turns and (turns[0].role != "user" or turns[-1].role != "assistant"):
        raise ValueError("it does not begin with a question and end with an answer")
