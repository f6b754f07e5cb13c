"""Which of the offered tools may be called, and whether one has to be: `tool_choice`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qwq_gguf.chat.messages import ToolSpec
from qwq_gguf.serve.limits import LIMITS
from qwq_gguf.serve.reading.fields import Fields
from qwq_gguf.serve.refusal import Refusal

__all__ = ["Offer", "openai_offer", "settled"]

_WORDS = ("none", "auto", "required")


@dataclass(frozen=True, slots=True)
class Offer:
    """`tools` are told to the model, and one of `forced` has to be called, if there are any; `one`:
    no more than one.
    """

    tools: tuple[ToolSpec, ...] = ()
    forced: tuple[ToolSpec, ...] = ()
    one: bool = False


def openai_offer(fields: Fields, tools: tuple[ToolSpec, ...]) -> Offer:
    """What OpenAI's two protocols make of these tools. A name stands in an object of its own in
    one of them, and beside the type in the other.
    """
    one = fields.flag("parallel_tool_calls") is False
    name = "tool_choice" if fields.has("tool_choice") else "function_call"
    kind = fields.kind(name, ("text", "object"), "a word, or the name of a function")
    if kind is None:
        return Offer(tools, one=one)
    if kind == "text":
        word = fields.choice(name, _WORDS)
        return settled(fields, name, tools, word or "auto", one=one)
    choice = fields.needed_object(name)
    word = choice.choice("type", ("function", "allowed_tools"))
    if name == "tool_choice" and word is None:
        raise choice.wrong("type", "function or allowed_tools")
    if word != "allowed_tools":
        return settled(fields, name, tools, "required", [_named(choice)], one=True)
    inner = choice.object("allowed_tools") or choice
    names = [_named(each) for each in inner.objects("tools", most=LIMITS.tools)]
    word = inner.choice("mode", ("auto", "required")) or "auto"
    return settled(fields, name, tools, word, names, one=one)


def settled(
    fields: Fields,
    name: str,
    tools: tuple[ToolSpec, ...],
    word: str,
    names: Sequence[str] | None = None,
    *,
    one: bool,
) -> Offer:
    """What one of `none`, `auto` and `required` comes to, for all tools or for those named. Refusal
    for names that are not offered, and where a call is to come of no tool.
    """
    if word == "none":
        return Offer(one=one)
    known = {tool.name for tool in tools}
    for each in names or ():
        if each not in known:
            raise Refusal(
                f"{name}: no tool is called {each[:100]}",
                param=fields.place(name),
                code="invalid_value",
            )
    wanted = tools if names is None else tuple(tool for tool in tools if tool.name in names)
    if word == "auto":
        return Offer(wanted, one=one)
    if not wanted:
        raise Refusal(
            f"{name}: there is no tool to call", param=fields.place(name), code="invalid_value"
        )
    return Offer(tools, wanted, one)


def _named(fields: Fields) -> str:
    inner = fields.object("function") or fields
    return inner.needed_text("name", most=128)
