"""Find the tool calls in an answer.

The Hermes form, which QwQ is trained on: `<tool_call>` newline, a JSON object with
`name` and `arguments`, newline, `</tool_call>`. Models get it nearly right, so a missing
closing tag, a code fence, and arguments given as a JSON text are understood; what is not
understood becomes a message the model can read.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from qwq_gguf.chat.messages import ToolCall

__all__ = ["ParsedAnswer", "parse_tool_calls"]

OPEN = "<tool_call>"
CLOSE = "</tool_call>"
MAX_CALLS = 16
MAX_CALL_CHARS = 64 * 1024


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """`text` is the answer around the calls, `errors` says what was wrong with others."""

    text: str
    calls: tuple[ToolCall, ...]
    errors: tuple[str, ...]


def parse_tool_calls(answer: str) -> ParsedAnswer:
    """Take the tool calls out of an answer, in their order."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    errors: list[str] = []
    position = 0
    for number in range(MAX_CALLS + 1):
        start = answer.find(OPEN, position)
        if start < 0:
            break
        texts.append(answer[position:start])
        if number == MAX_CALLS:
            errors.append(f"only the first {MAX_CALLS} tool calls of an answer are run")
            position = len(answer)
            break
        body = start + len(OPEN)
        try:
            data, end = _first_json(answer, body)
            calls.append(_call(data))
        except ValueError as error:
            errors.append(str(error))
            end = body
        close = answer.find(CLOSE, end)
        following = answer.find(OPEN, end)
        if close >= 0 and (following < 0 or close < following):
            position = close + len(CLOSE)
        else:
            position = following if following >= 0 else len(answer)
    texts.append(answer[position:])
    return ParsedAnswer("".join(texts).strip(), tuple(calls), tuple(errors))


def _first_json(text: str, start: int) -> tuple[Any, int]:
    """Read the JSON value that begins near `start`; give it and the place after it.

    Reading it as JSON, and not up to the closing tag, lets its texts hold such a tag.
    What follows the value is ignored: a stray brace is a frequent slip.
    """
    window = text[start : start + MAX_CALL_CHARS]
    lead = _LEAD.match(window)
    offset = lead.end() if lead else 0
    value, end = _decode(window, offset)
    return value, start + end


def _call(data: Any) -> ToolCall:
    if not isinstance(data, dict):
        raise ValueError('the tool call is not a JSON object with "name" and "arguments"')
    inner = data.get("function")
    if isinstance(inner, dict) and "name" not in data:
        data = inner  # OpenAI's shape around the same two fields
    name = data.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError('the tool call has no "name"')
    arguments = data.get("arguments", data.get("parameters"))
    if isinstance(arguments, str) and arguments.strip():
        arguments, _ = _decode(arguments, 0)
    if arguments is None or arguments == "":
        arguments = {}
    if not isinstance(arguments, dict):
        raise ValueError(f'the "arguments" of {name} are not a JSON object')
    return ToolCall(name, arguments)


def _decode(text: str, start: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("the tool call is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"the tool call is not valid JSON: {error}") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


# White space, and the code fence some models put around the object.
_LEAD = re.compile(r"\s*(?:```(?:json)?\s*)?")
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
