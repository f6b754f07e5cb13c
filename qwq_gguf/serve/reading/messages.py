"""OpenAI's messages as ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.content import read_arguments, read_content
from qwq_gguf.serve.reading.fields import Fields

__all__ = ["Turns", "read_messages"]

_ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class Turns:
    """Messages as they come. Results are put in the order of their calls, and get their names:
    templates count, where a protocol has ids.
    """

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._calls: list[str] = []  # ids of the last message's calls, in order
        self._names: dict[str, str] = {}
        self._results: list[tuple[int, Message]] = []

    def add(self, message: Message) -> None:
        """A turn without calls. What several say to the system is one turn: templates take no more
        than one, where protocols have instructions beside them.
        """
        self._settle()
        last = self._messages[-1] if self._messages else message
        if last is not message and message.role == last.role == "system":
            self._messages[-1] = replace(last, content=f"{last.content}\n\n{message.content}")
        else:
            self._messages.append(message)

    def call(self, message: Message, calls: Sequence[tuple[str, ToolCall]]) -> None:
        """An assistant's turn with calls, each with its id."""
        self._settle()
        self._calls = [number for number, _ in calls]
        self._names |= {number: call.name for number, call in calls}
        self._messages.append(replace(message, tool_calls=tuple(call for _, call in calls)))

    def result(self, number: str, content: str, name: str | None = None) -> None:
        """What the tool gave that was called under this id."""
        at = self._calls.index(number) if number in self._calls else len(self._calls)
        known = self._names.get(number, name)
        self._results.append((at, Message("tool", content, name=known)))

    def all(self) -> tuple[Message, ...]:
        """The turns so far."""
        self._settle()
        return tuple(self._messages)

    def _settle(self) -> None:
        self._messages += [
            message for _, message in sorted(self._results, key=lambda each: each[0])
        ]
        self._results = []


def read_messages(fields: Fields) -> tuple[Message, ...]:
    """The field `messages` of a chat completion."""
    turns = Turns()
    for each in fields.objects("messages", most=LIMITS.messages, least=1):
        role = each.needed_choice("role", _ROLES)
        content = read_content(each)
        match role:
            case "system" | "developer" | "user":
                # A template knows "system"; "developer" is OpenAI's later word for it.
                turns.add(Message("user" if role == "user" else "system", content))
            case "assistant":
                _add_answer(turns, each, content)
            case "tool":
                turns.result(
                    each.needed_text("tool_call_id", most=LIMITS.name_chars),
                    content,
                    each.text("name", most=LIMITS.name_chars),
                )
            case "function":
                name = each.needed_text("name", most=LIMITS.name_chars)
                turns.result(name, content, name)
    return turns.all()


def _add_answer(turns: Turns, fields: Fields, content: str) -> None:
    thinking = fields.text("reasoning_content") or fields.text("reasoning") or ""
    message = Message("assistant", content, thinking=thinking)
    calls: list[tuple[str, ToolCall]] = []
    for number, each in enumerate(fields.objects("tool_calls", most=LIMITS.tool_calls)):
        call = read_arguments(each.needed_object("function"), "arguments")
        calls.append((each.text("id", most=LIMITS.name_chars) or f"#{number}", call))
    if (old := fields.object("function_call")) is not None:
        call = read_arguments(old, "arguments")
        calls.append((call.name, call))
    if calls:
        turns.call(message, calls)
    else:
        turns.add(message)
