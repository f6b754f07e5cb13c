"""Whether a chat template has a place for tools, found out by giving it some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qwq_gguf.chat.messages import Message, ToolSpec
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.errors import TemplateError

__all__ = ["ANY_TOOL", "has_tool_place", "takes_tools"]

ANY_TOOL = ToolSpec("lookup", "Look a word up.", {"type": "object", "properties": {}})
_ASK = (Message("user", "hello"),)


def takes_tools(
    template: ChatTemplate,
    tools: Sequence[ToolSpec] = (ANY_TOOL,),
    special_tokens: Mapping[str, str] | None = None,
) -> bool:
    """Whether the prompt is another one with these tools. A template that merely names them, or
    that refuses them, has no place for them.
    """
    try:
        without = template.render(_ASK, special_tokens=special_tokens).text
        return template.render(_ASK, tools, special_tokens=special_tokens).text != without
    except TemplateError:
        return False


def has_tool_place(source: str | None) -> bool:
    """The same of a template's text: one that is malformed, or is not there, has none."""
    try:
        return source is not None and takes_tools(ChatTemplate(source))
    except TemplateError:
        return False
