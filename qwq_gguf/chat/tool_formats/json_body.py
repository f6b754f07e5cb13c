"""Calls as JSON objects with `name` and `arguments`, as QwQ and most models write them.

Models get it nearly right, so several objects or an array of them in one tag, a missing closing
tag, a code fence, arguments given as a JSON text, and Python's way of writing all that are
understood. What is not understood becomes a message the model can read.
"""

from __future__ import annotations

import re
from typing import Any

from qwq_gguf.chat.loose_json import read_json
from qwq_gguf.chat.messages import ToolCall
from qwq_gguf.chat.tool_formats.format import MAX_CALL_CHARS, MAX_CALLS, Body

__all__ = ["begins_json", "json_arguments", "json_calls"]


def json_calls(text: str, start: int, tags: tuple[str, ...] = ()) -> Body:
    """The calls that begin at `start`, before the next of `tags`.

    Without tags, only those that follow directly on one another. Reading them as JSON, and not
    up to the closing tag, lets their texts hold such a tag.
    """
    window = text[start : start + MAX_CALL_CHARS]
    calls: list[ToolCall] = []
    errors: list[str] = []
    at: int | None = _skip(window, 0)
    end = 0
    while at is not None and len(calls) + len(errors) <= MAX_CALLS:
        try:
            value, end = read_json(window, at)
        except ValueError as error:
            errors.append(_unreadable(text, start, at, error, tags))
            break
        for item in value if isinstance(value, list) and value else [value]:
            try:
                calls.append(_call(item))
            except ValueError as error:
                errors.append(str(error))
        at = _another(window, end, tags)
    return Body(tuple(calls), tuple(errors), start + end)


def begins_json(body: str) -> bool:
    """Whether a tag is followed by something like JSON."""
    return body.lstrip()[:1] in ("{", "[", "`")


def _another(text: str, at: int, tags: tuple[str, ...]) -> int | None:
    """Where the next value begins, before the next tag."""
    at = _skip(text, at)
    if text[at : at + 1] in ("{", "["):
        return at
    if not tags:
        return None
    found = (text.find(tag, at) for tag in tags)
    brace = text.find("{", at, min((place for place in found if place >= 0), default=len(text)))
    return brace if brace >= 0 else None


def _skip(text: str, at: int) -> int:
    """Past white space, code fences, and a stray brace or comma, which are frequent slips."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _unreadable(text: str, start: int, at: int, error: ValueError, tags: tuple[str, ...]) -> str:
    said = f"the tool call is {error}" if "JSON" in str(error) else f"the tool call: {error}"
    if len(text) - start > MAX_CALL_CHARS:
        return f"{said} (a tool call may have {MAX_CALL_CHARS} characters)"
    rest = text[start + at :]
    for tag in tags:
        rest = rest.partition(tag)[0]
    if _NEXT_OBJECT.search(rest):
        return f"{said}; what follows it in the same tag was not run"
    return said


def _call(data: Any) -> ToolCall:
    """The call that a JSON value is. ValueError, in words for the model, if it is none."""
    if isinstance(data, str):
        data = _inside(data, "tool call")
    if not isinstance(data, dict):
        raise ValueError('the tool call is not a JSON object with "name" and "arguments"')
    inner = data.get("function")
    if isinstance(inner, dict) and "name" not in data:
        data = inner  # OpenAI's shape around the same two fields
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError('the tool call has no "name"')
    return ToolCall(name, _arguments(data.get("arguments", data.get("parameters")), name))


def _arguments(arguments: Any, name: str) -> dict[str, Any]:
    """The arguments of a call, which may be missing, or a text that holds them."""
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        arguments = {}
    if isinstance(arguments, str):
        arguments = _inside(arguments, f'"arguments" of {name}')
    if not isinstance(arguments, dict):
        raise ValueError(f'the "arguments" of {name} are not a JSON object')
    return arguments


def _inside(text: str, what: str) -> Any:
    """The value of a JSON text; a stray brace behind it is no harm, another value is."""
    try:
        value, end = read_json(text, _skip(text, 0))
    except ValueError as error:
        raise ValueError(f"the {what}: {error}") from None
    if _skip(text, end) < len(text):
        raise ValueError(f"the {what}: there is more than one JSON object in it")
    return value


def json_arguments(text: str, start: int, name: str) -> Body:
    """The call of a function whose name is known, with the arguments that begin at `start`."""
    window = text[start : start + MAX_CALL_CHARS]
    at = _skip(window, 0)
    try:
        value, end = read_json(window, at)
        call = ToolCall(name, _arguments(value, name))
    except ValueError as error:
        said = f'the "arguments" of {name[:100]}: {error}'
        return Body((), (str(error) if name in str(error) else said,), start + at)
    return Body((call,), (), start + end)


_BETWEEN = re.compile(r"(?:[\s,;}\]]|```\w*)*")
_NEXT_OBJECT = re.compile(r"\n\s*\{")
