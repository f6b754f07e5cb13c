"""ChatML as one model speaks it, read off its own chat template by asking it questions.

Runtimes with a template language of their own need the prompt's fixed words. They are not
written down here: the model's Jinja template is rendered with markers, the words around
the markers are taken, and a set of conversations then has to come out the same. A template
that is not ChatML with Hermes tools, to the letter, gives None.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate, one_budget
from qwq_gguf.errors import TemplateError

__all__ = ["ChatMl", "read_chatml"]


@dataclass(frozen=True, slots=True)
class ChatMl:
    """The words that vary between ChatML models.

    `tools_after_system` stands between a system text and the tools, `tools_alone` is what
    the system turn starts with when there is no such text, `tools_end` follows the tools;
    all None when the template knows no tools. `opening` is what the generation prompt
    ends with after the assistant's role: ``<think>`` and a newline, or nothing.
    """

    opening: str
    tools_after_system: str | None = None
    tools_alone: str | None = None
    tools_end: str | None = None

    def render(self, messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> str:
        """The prompt these words make: what the model's template must say, too."""
        turns = list(messages)
        system = turns.pop(0).content if turns and turns[0].role == "system" else ""
        out = ""
        if tools:
            lines = "\n".join(_json(tool.to_json()) for tool in tools)
            start = f"{system}{self.tools_after_system}" if system else self.tools_alone
            out = f"<|im_start|>system\n{start}{lines}{self.tools_end}<|im_end|>\n"
        elif system:
            out = f"<|im_start|>system\n{system}<|im_end|>\n"
        in_tools = False
        for turn in turns:
            if in_tools and turn.role != "tool":
                out += "<|im_end|>\n"
            if turn.role == "tool":
                out += "" if in_tools else "<|im_start|>user"
                out += f"\n<tool_response>\n{turn.content}\n</tool_response>"
            else:
                out += f"<|im_start|>{turn.role}"
                out += f"\n{turn.content}" if turn.content or turn.role == "user" else ""
                for call in turn.tool_calls:
                    arguments = _json(dict(call.arguments))
                    out += f'\n<tool_call>\n{{"name": "{call.name}", "arguments": {arguments}}}'
                    out += "\n</tool_call>"
                out += "<|im_end|>\n"
            in_tools = turn.role == "tool"
        if in_tools:
            out += "<|im_end|>\n"
        return f"{out}<|im_start|>assistant\n{self.opening}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_SYSTEM, _USER = "QSYSTEMQ", "QUSERQ"
_TOOL = ToolSpec("qtoolq", "Does q.", {"type": "object", "properties": {}})
_OTHER = ToolSpec("rtoolr", "Does r.", {"type": "object", "properties": {}})
_CALL = ToolCall("qtoolq", {"q": [1, "two", {"three": None}]})
_ASK = (Message("user", _USER),)
_ASK_SYSTEM = (Message("system", _SYSTEM), *_ASK)
_CALLED = (
    *_ASK,
    Message("assistant", "", tool_calls=(_CALL,)),
    Message("tool", "result one", name="qtoolq"),
)
_TALKS = (
    _ASK,
    _ASK_SYSTEM,
    (*_ASK, Message("assistant", "said"), Message("user", "more")),
    (*_ASK, Message("assistant", "<think>\nq\n</think>\n\nsaid"), Message("user", "more")),
)
_TOOL_TALKS = (
    _ASK,
    _ASK_SYSTEM,
    _CALLED,
    (*_CALLED, Message("tool", "result two", name="qtoolq")),
    (*_CALLED, Message("assistant", "said"), Message("user", "more")),
    (
        *_ASK,
        Message("assistant", "I call.", tool_calls=(_CALL, _CALL)),
        Message("tool", "one", name="qtoolq"),
        Message("tool", "two", name="qtoolq"),
    ),
)


@one_budget()
def read_chatml(template: str) -> ChatMl | None:
    """The words of `template` if it is ChatML through and through, else None."""
    try:
        compiled = ChatTemplate(template)
        found = _read(compiled)
        if found is None or not all(_agrees(found, compiled, talk) for talk in _TALKS):
            return None
        tools = (_TOOL, _OTHER)
        if found.tools_end is not None and not all(
            _agrees(found, compiled, talk, tools) for talk in _TOOL_TALKS
        ):
            return ChatMl(found.opening)
        return found
    except TemplateError:
        return None


def _read(compiled: ChatTemplate) -> ChatMl | None:
    turn = f"<|im_start|>user\n{_USER}<|im_end|>\n<|im_start|>assistant\n"
    start, found, opening = compiled.render(_ASK).text.partition(turn)
    if start or not found:
        return None
    words = []
    tool = _json(_TOOL.to_json())
    for talk, before in (
        (_ASK_SYSTEM, f"<|im_start|>system\n{_SYSTEM}"),
        (_ASK, "<|im_start|>system\n"),
    ):
        text = compiled.render(talk, (_TOOL,)).text
        head, is_there, rest = text.partition(tool)
        end, closed, _ = rest.partition(f"<|im_end|>\n{turn}")
        if not (is_there and closed and head.startswith(before)):
            return ChatMl(opening)
        words.append((head.removeprefix(before), end))
    (after_system, end), (alone, same_end) = words
    if end != same_end:
        return ChatMl(opening)
    return ChatMl(opening, after_system, alone, end)


def _agrees(
    found: ChatMl, compiled: ChatTemplate, talk: Sequence[Message], tools: Sequence[ToolSpec] = ()
) -> bool:
    # What a thought in the history becomes is the template's business: it drops it.
    plain = [
        Message(m.role, m.content.split("</think>")[-1].lstrip("\n"), m.tool_calls, m.name)
        for m in talk
    ]
    return compiled.render(talk, tools).text == found.render(plain, tools)
