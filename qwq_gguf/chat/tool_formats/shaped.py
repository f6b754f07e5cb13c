"""Histories with calls in the shapes that some templates insist on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qwq_gguf.chat.messages import Message, ToolCall

__all__ = ["one_call_each", "with_call_ids", "with_calls_in_text", "with_text_arguments"]


@dataclass(frozen=True, slots=True)
class _ShapedCall(ToolCall):
    """A call with an id, or with arguments as a JSON text, for templates that want that."""

    number: str = ""
    as_text: bool = False

    def to_json(self) -> dict[str, Any]:
        data = ToolCall.to_json(self)
        if self.number:
            data["id"] = self.number
        if self.as_text:
            arguments = json.dumps(data["function"]["arguments"], ensure_ascii=False)
            data["function"]["arguments"] = arguments
        return data


@dataclass(frozen=True, slots=True)
class _Result(Message):
    """A tool's result with the id of its call."""

    number: str = ""

    def to_json(self) -> dict[str, Any]:
        return Message.to_json(self) | {"tool_call_id": self.number}


def one_call_each(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Each call in a message of its own, its result behind it (Llama 3)."""
    shaped: list[Message] = []
    waiting: list[ToolCall] = []
    for message in messages:
        if len(message.tool_calls) > 1:
            shaped.append(replace(message, tool_calls=message.tool_calls[:1]))
            waiting = list(message.tool_calls[1:])
            continue
        if message.role == "tool" and waiting and shaped[-1].role == "tool":
            shaped.append(Message("assistant", "", (waiting.pop(0),)))
        shaped.append(message)
    return tuple(shaped)


def with_call_ids(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Calls numbered through the chat, and each result with the number of its call.

    Nine letters and digits, because Mistral's templates count them.
    """
    count = 0
    waiting: list[str] = []
    shaped: list[Message] = []
    for message in messages:
        if message.tool_calls:
            waiting = [f"call{count + n:05d}" for n in range(len(message.tool_calls))]
            count += len(waiting)
            calls = tuple(
                _ShapedCall(call.name, call.arguments, number)
                for call, number in zip(message.tool_calls, waiting, strict=True)
            )
            shaped.append(replace(message, tool_calls=calls))
        elif message.role == "tool":
            number = waiting.pop(0) if waiting else f"call{count:05d}"
            shaped.append(_Result("tool", message.content, name=message.name, number=number))
        else:
            shaped.append(message)
    return tuple(shaped)


def with_text_arguments(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Calls whose arguments are a JSON text (the first DeepSeek R1)."""
    return tuple(
        replace(
            message,
            tool_calls=tuple(
                _ShapedCall(call.name, call.arguments, getattr(call, "number", ""), as_text=True)
                for call in message.tool_calls
            ),
        )
        if message.tool_calls
        else message
        for message in messages
    )


def with_calls_in_text(
    messages: Sequence[Message], write: Callable[[Sequence[ToolCall]], str]
) -> tuple[Message, ...]:
    """Calls as a part of what was said, for a template that leaves all others out (SmolLM3)."""
    return tuple(
        replace(
            message,
            content="\n".join(filter(None, (message.content, write(message.tool_calls)))),
            tool_calls=(),
        )
        if message.tool_calls
        else message
        for message in messages
    )
