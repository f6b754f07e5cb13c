"""ChatML as one model speaks it, read off its own chat template by asking it questions.

Runtimes with a template language of their own need the prompt's fixed words. They are not
written down here: the model's Jinja template is rendered with markers, the words around
the markers are taken, and a set of conversations then has to come out the same. A template
that is not ChatML with Hermes tools, to the letter, gives None.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from qwq_gguf.chat.messages import Message, ToolCall, ToolSpec
from qwq_gguf.chat.template import ChatTemplate, one_budget
from qwq_gguf.errors import TemplateError
from qwq_gguf.thinking import ThoughtForm, read_form

__all__ = ["ChatMl", "read_chatml"]


@dataclass(frozen=True, slots=True)
class ChatMl:
    """The words that vary between ChatML models.

    `opening` is what the generation prompt ends with after the assistant's role: ``<think>``
    and a newline, or nothing; `opening_on` and `opening_off` when it is told to think or not
    to, None where the template knows no such choice. `default_system` stands in the system
    turn when nobody says anything there. `tools_after_system` stands between a system text
    and the tools, `tools_alone` is what the system turn starts with when there is no such
    text, `tools_end` follows the tools; all None when the template knows no tools.
    """

    opening: str
    opening_on: str | None = None
    opening_off: str | None = None
    default_system: str = ""
    tools_after_system: str | None = None
    tools_alone: str | None = None
    tools_end: str | None = None

    def start(self, thinking: bool | None = None) -> str:
        """What the generation prompt ends with for thinking unset, on or off."""
        told = {None: None, True: self.opening_on, False: self.opening_off}[thinking]
        return self.opening if told is None else told

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec] = (),
        thinking: bool | None = None,
    ) -> str:
        """The prompt these words make: what the model's template must say, too."""
        turns = list(messages)
        system = turns.pop(0).content if turns and turns[0].role == "system" else ""
        out = ""
        if tools:
            lines = "\n".join(_json(tool.to_json()) for tool in tools)
            start = f"{system}{self.tools_after_system}" if system else self.tools_alone
            out = f"<|im_start|>system\n{start}{lines}{self.tools_end}<|im_end|>\n"
        elif said := system or self.default_system:
            out = f"<|im_start|>system\n{said}<|im_end|>\n"
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
        return f"{out}<|im_start|>assistant\n{self.start(thinking)}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_SYSTEM, _USER = "QSYSTEMQ", "QUSERQ"
_TOOL = ToolSpec("qtoolq", "Does q.", {"type": "object", "properties": {}})
_OTHER = ToolSpec("rtoolr", "Does r.", {"type": "object", "properties": {}})
_TOOLS = (_TOOL, _OTHER)
_CALL = ToolCall("qtoolq", {"q": [1, "two", {"three": None}]})
_REPLY = "<|im_start|>assistant\n"
_ASK = (Message("user", _USER),)
_THEN = datetime(2001, 2, 3, 4, 5)
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
def read_chatml(template: str, thought: ThoughtForm | None = None) -> ChatMl | None:
    """The words of `template` if it is ChatML through and through, else None.

    `thought` is what it does about thoughts, where that is known already.
    """
    try:
        compiled = ChatTemplate(template)
        found = _read(compiled)
        if found is None:
            return None
        return _checked(compiled, found, read_form(template) if thought is None else thought)
    except TemplateError:
        return None


def _checked(compiled: ChatTemplate, found: ChatMl, thought: ThoughtForm) -> ChatMl | None:
    """The words without those that do not hold; None when even the plain ones do not."""
    asked = _Asked(compiled, drops=thought.drops_history)
    if not asked.agrees(found, _TALKS):
        return None
    if found.tools_end is not None and not asked.agrees(found, _TOOL_TALKS, _TOOLS):
        found = replace(found, tools_after_system=None, tools_alone=None, tools_end=None)
    switched = found
    for thinking, name in ((True, "opening_on"), (False, "opening_off")):
        if variables := thought.variables(thinking):
            opening = _opening(compiled.render(_ASK, variables=variables).text, found)
            switched = replace(switched, **{name: opening})
            asked_so = replace(asked, thinking=thinking, variables=variables)
            # A switch that changes more than the prompt's end cannot be said in these words.
            if not asked_so.agrees(switched, _TALKS) or (
                found.tools_end is not None and not asked_so.agrees(switched, _TOOL_TALKS, _TOOLS)
            ):
                return found
    return switched


def _read(compiled: ChatTemplate) -> ChatMl | None:
    turn = f"<|im_start|>user\n{_USER}<|im_end|>\n{_REPLY}"
    if any(
        compiled.render(_ASK, tools, now=_THEN).text != compiled.render(_ASK, tools).text
        for tools in ((), _TOOLS)
    ):
        return None  # it tells the day, and a word that is read off it stays what it is
    start, found, opening = compiled.render(_ASK).text.partition(turn)
    default = ""
    if start:
        head, end = "<|im_start|>system\n", "<|im_end|>\n"
        if not (start.startswith(head) and start.endswith(end)):
            return None
        default = start.removeprefix(head).removesuffix(end)
    if not found or "<|im_" in default:
        return None
    plain = ChatMl(opening, default_system=default)
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
            return plain
        words.append((head.removeprefix(before), end))
    (after_system, end), (alone, same_end) = words
    if end != same_end:
        return plain
    return replace(plain, tools_after_system=after_system, tools_alone=alone, tools_end=end)


def _opening(prompt: str, found: ChatMl) -> str:
    """What the generation prompt ends with in another prompt of the same words."""
    return prompt.removeprefix(found.render(_ASK).removesuffix(found.opening))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A template with the variables it is asked with, and whether it `drops` old thoughts."""

    template: ChatTemplate
    drops: bool
    thinking: bool | None = None
    variables: Mapping[str, object] = field(default_factory=dict)

    def agrees(
        self,
        found: ChatMl,
        talks: Sequence[Sequence[Message]],
        tools: Sequence[ToolSpec] = (),
    ) -> bool:
        """Whether the template says of every talk what these words say."""
        return all(
            self.template.render(talk, tools, variables=self.variables).text
            == found.render(list(map(self._seen, talk)), tools, self.thinking)
            for talk in talks
        )

    def _seen(self, turn: Message) -> Message:
        # What a thought in the history becomes is the template's business.
        return turn if not self.drops else _without_thought(turn)


def _without_thought(turn: Message) -> Message:
    content = turn.content.split("</think>")[-1].lstrip("\n")
    return Message(turn.role, content, turn.tool_calls, turn.name)
