"""What a message holds, as text; and tools and their calls. Pictures and sounds are refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from qwq_gguf.chat.loose_json import read_json
from qwq_gguf.chat.messages import ToolCall, ToolSpec
from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.refusal import Refusal

__all__ = [
    "NO_PARAMETERS",
    "check_unique",
    "read_arguments",
    "read_content",
    "read_part",
    "read_tool",
    "tool_name",
]

NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
_TEXTS = ("text", "input_text", "output_text", "refusal")
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,128}", re.ASCII)


def read_content(fields: Fields, name: str = "content") -> str:
    """The text of a field that is a text, or a list of parts; "" where it is not there."""
    if fields.kind(name, ("text", "list"), "a text, or a list of parts") != "list":
        return fields.text(name) or ""
    return "\n".join(read_part(part) for part in fields.objects(name, most=LIMITS.parts))


def read_part(part: Fields) -> str:
    """The text of a part. Refusal for one that is none."""
    kind = part.word("type", _TEXTS)
    if kind not in _TEXTS:
        raise Refusal(
            f"a part of the type {kind} cannot be read: this server takes text only",
            param=part.place("type"),
            code="unsupported_content",
        )
    return part.needed_text("refusal" if kind == "refusal" else "text")


def tool_name(fields: Fields, name: str = "name") -> str:
    """The name of a tool."""
    value = fields.needed_text(name, most=128)
    if not _NAME.fullmatch(value):
        raise fields.wrong(name, "1 to 128 letters, digits, or one of _ . : / -")
    return value


def read_tool(fields: Fields, schema: str = "parameters") -> ToolSpec:
    """A function that the model may call; `schema` is where its arguments are described."""
    parameters = fields.object(schema)
    return ToolSpec(
        tool_name(fields),
        fields.text("description") or "",
        NO_PARAMETERS if parameters is None else parameters.data,
    )


def read_arguments(fields: Fields, name: str) -> ToolCall:
    """A call of the history, whose arguments are a JSON text."""
    said = fields.text(name) or "{}"
    try:
        value, end = read_json(said.strip() or "{}")
    except ValueError:
        value, end = None, 0
    if not isinstance(value, dict) or said.strip()[end:].strip():
        raise fields.wrong(name, "the text of a JSON object")
    return ToolCall(tool_name(fields), value)


def check_unique(tools: Collection[ToolSpec], param: str) -> tuple[ToolSpec, ...]:
    """The tools, no two of one name."""
    names: set[str] = set()
    for tool in tools:
        if tool.name in names:
            raise Refusal(f"two tools are called {tool.name}", param=param, code="invalid_value")
        names.add(tool.name)
    return tuple(tools)
