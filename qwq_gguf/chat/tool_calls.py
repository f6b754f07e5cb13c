"""Find the tool calls in an answer.

The Hermes form, which QwQ is trained on: `<tool_call>` newline, a JSON object with
`name` and `arguments`, newline, `</tool_call>`. Models get it nearly right, so several
objects or an array of them in one tag, a missing closing tag, a code fence, arguments given
as a JSON text, and Python's way of writing all that are understood. What is not understood
becomes a message the model can read: no call is lost in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from qwq_gguf.chat.loose_json import read_json
from qwq_gguf.chat.messages import ToolCall

__all__ = ["CLOSE", "OPEN", "ParsedAnswer", "may_be_last", "parse_tool_calls", "trailing_calls"]

OPEN = "<tool_call>"
CLOSE = "</tool_call>"
MAX_CALLS = 16
MAX_CALL_CHARS = 64 * 1024
_MOST_WORDS = 256  # characters between tags that are no JSON, and yet were meant as a call
_MOST_TAGS = 256  # at the end of a thought; more are no calls that anybody meant


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """`text` is the answer around the calls, `errors` says what was wrong with others."""

    text: str
    calls: tuple[ToolCall, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Block:
    """From an opening tag to its closing one, or to where that must have been forgotten."""

    start: int
    end: int
    calls: tuple[ToolCall, ...]
    errors: tuple[str, ...]
    meant: bool  # to be a call: not the tag alone, mentioned in passing


def parse_tool_calls(answer: str) -> ParsedAnswer:
    """Take the tool calls out of an answer, in their order."""
    texts: list[str] = []
    calls: list[ToolCall] = []
    errors: list[str] = []
    position = 0
    for block in _blocks(answer):
        texts.append(answer[position : block.start])
        calls += block.calls
        errors += block.errors
        position = block.end
        if len(calls) + len(errors) > MAX_CALLS:
            del errors[MAX_CALLS:]
            errors.append(f"only the first {MAX_CALLS} tool calls of an answer are run")
            position = len(answer)
            break
    texts.append(answer[position:])
    return ParsedAnswer("".join(texts).strip(), tuple(calls[:MAX_CALLS]), tuple(errors))


def trailing_calls(thought: str) -> int | None:
    """Where the tool calls begin that end this text; None if it does not end in any.

    For a turn that ended inside its thought: what it said last was a call then. A tag that
    the thought mentions before it goes on is none.
    """
    begin = len(thought)
    for _ in range(_MOST_TAGS):
        before = thought.rfind(OPEN, 0, begin)
        if before < 0:
            break
        begin = before
    first, end = None, begin
    for block in _blocks(thought, begin):
        if not block.meant:
            first = None
        elif first is None or thought[end : block.start].strip():
            first = block.start
        end = block.end
    return None if thought[end:].strip() else first


def may_be_last(text: str) -> bool:
    """Whether a text that begins with an opening tag may become calls and nothing else."""
    if len(text) > MAX_CALL_CHARS:
        return False
    _, closed, tail = text.rpartition(CLOSE)
    if closed:
        tail = tail.strip()
        return OPEN.startswith(tail) or (tail.startswith(OPEN) and may_be_last(tail))
    return len(text) - len(OPEN) <= _MOST_WORDS or _begun(text[len(OPEN) :])


def _blocks(text: str, position: int = 0) -> Iterator[_Block]:
    while (start := text.find(OPEN, position)) >= 0:
        body = start + len(OPEN)
        calls, errors, end = _read_body(text, body)
        close, following = text.find(CLOSE, end), text.find(OPEN, end)
        closed = close >= 0 and (following < 0 or close < following)
        if closed:
            position = close + len(CLOSE)
        else:
            position = following if following >= 0 else len(text)
        inside = text[body : close if closed else position]
        if closed:
            meant = len(inside) <= _MOST_WORDS or _begun(inside)
        else:
            # Words behind a call that was not closed: it was only an example.
            words = text[_skip(text, end) : position].strip() if calls else ""
            meant = _begun(inside) and not words
        yield _Block(start, position, calls, errors, meant)


def _begun(body: str) -> bool:
    """Whether a tag is followed by something like JSON."""
    return body.lstrip()[:1] in ("{", "[", "`")


def _read_body(text: str, start: int) -> tuple[tuple[ToolCall, ...], tuple[str, ...], int]:
    """The calls that begin at `start`, what was wrong with others, and the place after them.

    Reading them as JSON, and not up to the closing tag, lets their texts hold such a tag.
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
            errors.append(_unreadable(text, start, at, error))
            break
        for item in value if isinstance(value, list) and value else [value]:
            try:
                calls.append(_call(item))
            except ValueError as error:
                errors.append(str(error))
        at = _another(window, end)
    return tuple(calls), tuple(errors), start + end


def _another(text: str, at: int) -> int | None:
    """Where the next value begins, before the next tag."""
    at = _skip(text, at)
    if text[at : at + 1] in ("{", "["):
        return at
    tags = (text.find(tag, at) for tag in (OPEN, CLOSE))
    brace = text.find("{", at, min((tag for tag in tags if tag >= 0), default=len(text)))
    return brace if brace >= 0 else None


def _skip(text: str, at: int) -> int:
    """Past white space, code fences, and a stray brace or comma, which are frequent slips."""
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _unreadable(text: str, start: int, at: int, error: ValueError) -> str:
    said = f"the tool call is {error}" if "JSON" in str(error) else f"the tool call: {error}"
    if len(text) - start > MAX_CALL_CHARS:
        return f"{said} (a tool call may have {MAX_CALL_CHARS} characters)"
    rest = text[start + at :].partition(CLOSE)[0].partition(OPEN)[0]
    if _NEXT_OBJECT.search(rest):
        return f"{said}; what follows it in the same tag was not run"
    return said


def _call(data: Any) -> ToolCall:
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
    arguments = data.get("arguments", data.get("parameters"))
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        arguments = {}
    if isinstance(arguments, str):
        arguments = _inside(arguments, f'"arguments" of {name}')
    if not isinstance(arguments, dict):
        raise ValueError(f'the "arguments" of {name} are not a JSON object')
    return ToolCall(name, arguments)


def _inside(text: str, what: str) -> Any:
    """The value of a JSON text; a stray brace behind it is no harm, another value is."""
    try:
        value, end = read_json(text, _skip(text, 0))
    except ValueError as error:
        raise ValueError(f"the {what}: {error}") from None
    if _skip(text, end) < len(text):
        raise ValueError(f"the {what}: there is more than one JSON object in it")
    return value


_BETWEEN = re.compile(r"(?:[\s,;}\]]|```\w*)*+")
_NEXT_OBJECT = re.compile(r"\n\s*\{")
