"""Anthropic's messages."""

from __future__ import annotations

import re

from qwq_gguf.chat.messages import Message, Role, ToolCall, ToolSpec
from qwq_gguf.serve.ask import Ask
from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.chat import read_calls_and_form
from qwq_gguf.serve.reading.choice import Offer, settled
from qwq_gguf.serve.reading.content import (
    check_unique,
    read_content,
    read_part,
    read_tool,
    tool_name,
)
from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.reading.messages import Turns
from qwq_gguf.serve.reading.settings import (
    read_effort,
    read_limit,
    read_seed,
    read_stops,
    read_thoughts,
)
from qwq_gguf.serve.reading.shape import shape_of_schema
from qwq_gguf.serve.refusal import Refusal

__all__ = ["read_anthropic"]

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}

# The types of blocks that an assistant's turn and a user's may have.
_SAID = ("text", "thinking", "redacted_thinking", "tool_use")
_ASKED = ("text", "tool_result")
# Tools that Anthropic's service runs, or describes itself, have a date in their type. Agents send
# them along whoever answers, so they are left out.
_SERVICES_OWN = re.compile(r"[a-z_]+_\d{8}|mcp_toolset", re.ASCII)
_TOLD_ANTHROPIC = "x-anthropic-billing-header:"


def read_anthropic(fields: Fields) -> Ask:
    """A body of `/v1/messages`, or of `/v1/messages/count_tokens`."""
    thoughts = read_thoughts(fields)
    output = fields.object("output_config")
    shape = _shape(fields, "output_format")
    if output is not None:
        effort, off = read_effort(output, "effort")
        thoughts["effort"] = thoughts["effort"] or effort
        thoughts["think"] = thoughts["think"] if off is None else off
        shape = shape or _shape(output, "format")
    return Ask(
        model=fields.text("model", most=LIMITS.name_chars),
        messages=_messages(fields),
        **read_calls_and_form(fields, _tools(fields), shape),
        max_tokens=read_limit(fields, "max_tokens"),
        stops=read_stops(fields, "stop_sequences"),
        seed=read_seed(fields),
        stream=fields.flag("stream") or False,
        **thoughts,
    )


def _shape(fields: Fields, name: str) -> str | None:
    form = fields.object(name)
    if form is None:
        return None
    if form.choice("type", ("json_schema",)) is None:
        raise form.wrong("type", "json_schema")
    return shape_of_schema(form, "schema")


def _messages(fields: Fields) -> tuple[Message, ...]:
    turns = Turns()
    if system := _system(fields):
        turns.add(Message("system", system))
    for each in fields.objects("messages", most=LIMITS.messages, least=1):
        role = each.needed_choice("role", _ROLES)
        expected = "a text, or a list of blocks"
        if each.kind("content", ("text", "list"), expected) != "list":
            content = read_content(each)
            turns.add(Message(_ROLES[role], content))
        elif role == "assistant":
            _answer(turns, each)
        else:
            _question(turns, each, _ROLES[role])
    return turns.all()


def _system(fields: Fields) -> str:
    """The system prompt. What an agent tells Anthropic of itself in it is another one with every
    request: it is nothing for a model, and would let none of the prompt be used again.
    """
    if fields.kind("system", ("text", "list"), "a text, or a list of parts") != "list":
        return fields.text("system") or ""
    texts = [read_part(part) for part in fields.objects("system", most=LIMITS.parts)]
    return "\n".join(text for text in texts if not text.startswith(_TOLD_ANTHROPIC))


def _answer(turns: Turns, fields: Fields) -> None:
    """An assistant's blocks: its thought, its words, its calls."""
    thoughts: list[str] = []
    texts: list[str] = []
    calls: list[tuple[str, ToolCall]] = []
    for block in fields.objects("content", most=LIMITS.parts):
        match block.word("type", _SAID):
            case "text":
                texts.append(block.needed_text("text"))
            case "thinking":
                thoughts.append(block.needed_text("thinking"))
            case "redacted_thinking":
                pass  # nobody here could read it
            case "tool_use":
                arguments = block.object("input")
                given = {} if arguments is None else dict(arguments.data)
                number = block.needed_text("id", most=LIMITS.name_chars)
                calls.append((number, ToolCall(tool_name(block), given)))
            case kind:
                raise _unreadable(block, kind)
    if len(calls) > LIMITS.tool_calls:
        raise fields.wrong("content", f"at most {LIMITS.tool_calls} calls")
    message = Message("assistant", "\n".join(texts), thinking="\n".join(thoughts))
    if calls:
        turns.call(message, calls)
    else:
        turns.add(message)


def _question(turns: Turns, fields: Fields, role: Role) -> None:
    """A user's blocks: results of tools, and what is asked."""
    texts: list[str] = []
    for block in fields.objects("content", most=LIMITS.parts):
        match block.word("type", _ASKED):
            case "text":
                texts.append(block.needed_text("text"))
            case "tool_result":
                content = read_content(block)
                if block.flag("is_error"):
                    content = f"error: {content}"
                turns.result(block.needed_text("tool_use_id", most=LIMITS.name_chars), content)
            case kind:
                raise _unreadable(block, kind)
    if texts:
        turns.add(Message(role, "\n".join(texts)))


def _unreadable(block: Fields, kind: str) -> Refusal:
    return Refusal(
        f"a block of the type {kind} cannot be read: this server takes text only",
        param=block.place("type"),
    )


def _tools(fields: Fields) -> Offer:
    tools: list[ToolSpec] = []
    for each in fields.objects("tools", most=LIMITS.tools):
        kind = each.word("type", ("custom",), needed=False)
        if kind in ("", "custom"):
            tools.append(read_tool(each, "input_schema"))
        elif not _SERVICES_OWN.fullmatch(kind):
            raise Refusal("only custom tools can be offered", param=each.place("type"))
    found = check_unique(tools, "tools")
    choice = fields.object("tool_choice")
    if choice is None:
        return Offer(found)
    one = bool(choice.flag("disable_parallel_tool_use"))
    word = choice.choice("type", ("auto", "any", "tool", "none"))
    if word == "tool":
        name = choice.needed_text("name", most=128)
        return settled(fields, "tool_choice", found, "required", [name], one=True)
    meant = {"any": "required", "none": "none"}.get(word or "", "auto")
    return settled(fields, "tool_choice", found, meant, one=one)
