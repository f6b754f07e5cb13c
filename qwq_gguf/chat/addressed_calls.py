"""Tool calls that come as messages to a tool, as in channels, and not in an answer's text.

The format says who is called and where the call ends, so only its arguments are to be read:
one JSON object. What is none is said to the model.
"""

from __future__ import annotations

from collections.abc import Iterable

from qwq_gguf.chat.loose_json import read_json
from qwq_gguf.chat.messages import ToolCall

__all__ = ["read_addressed", "written_out"]

_MAX_CALLS = 16
_MAX_CHARS = 64 * 1024


def read_addressed(
    messages: Iterable[tuple[str, str]],
) -> tuple[tuple[ToolCall, ...], tuple[str, ...]]:
    """The calls of these recipients and texts, and what is wrong with the others."""
    calls: list[ToolCall] = []
    errors: list[str] = []
    for number, (name, text) in enumerate(messages):
        if number == _MAX_CALLS:
            errors.append(f"only the first {_MAX_CALLS} tool calls of an answer are run")
            break
        try:
            calls.append(_call(name, text))
        except ValueError as error:
            errors.append(f"the call of {name[:100]}: {error}")
    return tuple(calls), tuple(errors)


def written_out(messages: Iterable[tuple[str, str]]) -> str:
    """The calls as text, for a reader who has asked for none."""
    return "\n".join(f"{name}({text.strip()})" for name, text in messages)


def _call(name: str, text: str) -> ToolCall:
    text = text.strip()
    if len(text) > _MAX_CHARS:
        raise ValueError(f"a tool call may have {_MAX_CHARS} characters")
    if not text:
        return ToolCall(name)
    value, end = read_json(text)
    if text[end:].strip(" \t\r\n};"):
        raise ValueError("there is more than one JSON object in it")
    if not isinstance(value, dict):
        raise ValueError("its arguments are not a JSON object")
    return ToolCall(name, value)
