"""Calls that name their function outside of the JSON: DeepSeek's and Mistral's; and Llama's."""

from __future__ import annotations

import re

from qwq_gguf.chat.tool_formats.format import MAX_CALL_CHARS, Body
from qwq_gguf.chat.tool_formats.json_body import begins_json, json_arguments, json_calls

__all__ = ["LLAMA_OPENING", "begins_named", "deepseek_body", "llama_body", "mistral_body"]

LLAMA_OPENING = "<|python_tag|>"

_DEEPSEEK_SEPARATOR = "<｜tool▁sep｜>"  # noqa: RUF001


def deepseek_body(text: str, start: int) -> Body:
    """`function<sep>NAME`, a line end and fenced arguments (R1, V3), or `NAME<sep>{...}` (V3.1)."""
    first = _DEEPSEEK_NAME.match(text, start)
    if first is None:
        return Body((), (f"the tool call has no {_DEEPSEEK_SEPARATOR} behind its name",), start)
    name, at = first[1].strip(), first.end()
    if second := _NAME_ON_ITS_LINE.match(text, at):
        name, at = second[1], second.end()
    if not name:
        return Body((), ("the tool call names no function",), start)
    return json_arguments(text, at, name)


def mistral_body(text: str, start: int) -> Body:
    """An array of JSON calls (until 2024), or `NAME[ARGS]{...}`, with `[CALL_ID]...` between."""
    if begins_json(text[start : start + MAX_CALL_CHARS]):
        return json_calls(text, start)
    named = _MISTRAL_NAME.match(text, start)
    if named is None:
        return Body((), ("the tool call has no NAME[ARGS] behind [TOOL_CALLS]",), start)
    return json_arguments(text, named.end(), named[1])


def llama_body(text: str, start: int) -> Body:
    """JSON with `parameters`, one after another; nothing where it is another JSON, unless the
    token for calls stands before it.
    """
    found = json_calls(text, start)
    if text[:start].endswith(LLAMA_OPENING):
        return found
    window = text[start : start + MAX_CALL_CHARS]
    return found if _LLAMA_ARGUMENTS.search(window) else Body((), (), start)


def begins_named(body: str) -> bool:
    """Whether an opening is followed by a name, or by JSON."""
    return begins_json(body) or _ANY_NAME.match(body) is not None


_DEEPSEEK_NAME = re.compile(r"\s*+([\w. -]{0,200}+)" + re.escape(_DEEPSEEK_SEPARATOR))
_NAME_ON_ITS_LINE = re.compile(r"\s*+([\w.-]{1,200}+)[ \t]*+\n")
_MISTRAL_NAME = re.compile(
    r"\s*+([\w.-]{1,200}+)\s*+(?:\[CALL_ID\]\w{1,64}+)?\s*+(?:\[ARGS\]|(?=\{))"
)
_LLAMA_ARGUMENTS = re.compile(r"[\"'](?:parameters|arguments)[\"']\s*+:")
_ANY_NAME = re.compile(r"\s*+[\w.-]+")
