"""Some chats as a template makes them, to see that a change of it changed nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from qwq_gguf.chat.messages import Message, ToolSpec
from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.errors import TemplateError
from qwq_gguf.preparation.template import ANSWER, CALL, TOOL

__all__ = ["Renderings", "renderings"]

# Without and with a generation prompt.
Renderings: TypeAlias = tuple[tuple[str | None, str | None], ...]


def renderings(
    template: str, names: Mapping[str, str], variables: Mapping[str, Any] | None = None
) -> Renderings:
    """Some chats without and with a generation prompt; None for what cannot be rendered.

    Raises TemplateError for a template that does not compile.
    """
    ask, answer = Message("user", "QaskQ"), Message("assistant", ANSWER)
    thought = Message("assistant", f"<think>\nQthoughtQ\n</think>\n\n{ANSWER}")
    called = Message("assistant", "", tool_calls=(CALL,))
    result = Message("tool", "QresultQ", name=TOOL.name)
    chats: tuple[tuple[list[Message], list[ToolSpec]], ...] = (
        ([ask], []),
        ([Message("system", "QsystemQ"), ask], []),
        ([ask, answer, ask], []),
        ([ask, thought, ask], []),
        ([ask, thought], []),
        ([ask], [TOOL]),
        ([ask, called, result], [TOOL]),
    )

    def text(chat: list[Message], tools: list[ToolSpec], *, prompted: bool) -> str | None:
        try:
            return compiled.render(
                chat,
                tools,
                add_generation_prompt=prompted,
                special_tokens=names,
                variables=variables,
            ).text
        except TemplateError:
            return None

    compiled = ChatTemplate(template)
    return tuple(
        (text(chat, tools, prompted=False), text(chat, tools, prompted=True))
        for chat, tools in chats
    )
