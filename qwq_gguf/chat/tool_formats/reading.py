"""Which format a model's calls have, read from how its chat template writes one.

A word in a template proves nothing: one that explains `<tool_call>` may write calls otherwise. So
a chat in which a tool was called is rendered, and the format is the one that reads exactly
that call out of the prompt again. Some templates do so only if the call has an id, or if its
arguments are a JSON text; and some allow one call a message. That is found out by the way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from qwq_gguf.chat.messages import Message, ToolCall
from qwq_gguf.chat.template import ChatTemplate, one_budget
from qwq_gguf.chat.tool_formats.format import ToolFormat
from qwq_gguf.chat.tool_formats.shaped import (
    one_call_each,
    with_call_ids,
    with_calls_in_text,
    with_text_arguments,
)
from qwq_gguf.chat.tool_formats.table import FORMATS, HERMES
from qwq_gguf.chat.tool_formats.writing import PROBES, CallForm, call_form
from qwq_gguf.chat.tool_place import ANY_TOOL
from qwq_gguf.errors import TemplateError

__all__ = ["ToolUse", "read_tool_use"]

_QUESTION, _ANSWER, _RESULT = "QquestionQ", "QanswerQ", "QresultQ"
_CALL = ToolCall(ANY_TOOL.name, {"word": "QwordQ"})


_HERMES_CALL = '<tool_call>\n{{"name": "lookup", "arguments": {}}}\n</tool_call>'
_HERMES_TEXT = _HERMES_CALL.format('{"word": "QwordQ", "more": "QmoreQ"}')
HERMES_FORM = call_form(HERMES, {"one": _HERMES_TEXT, "two": f"{_HERMES_TEXT}\n{_HERMES_TEXT}"})


@dataclass(frozen=True, slots=True)
class ToolUse:
    """How a model calls tools: the format, and what its template wants of a history with calls.

    `ids`: each call and each result needs an id. `as_text`: arguments are a JSON text.
    `one_each`: a message may have one call. `in_text`: it leaves calls out, so they have to stand
    in what was said. `known`: the template was seen to write calls so; else it is taken for
    granted. `written`: how exactly, None where that could not be seen.
    """

    format: ToolFormat = HERMES
    ids: bool = False
    as_text: bool = False
    one_each: bool = False
    in_text: bool = False
    known: bool = False
    written: CallForm | None = HERMES_FORM

    def shaped(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """The messages as the template wants them."""
        shaped = tuple(messages)
        if self.one_each:
            shaped = one_call_each(shaped)
        if self.ids:
            shaped = with_call_ids(shaped)
        if self.in_text:
            shaped = with_calls_in_text(shaped, _as_hermes)
        return with_text_arguments(shaped) if self.as_text else shaped


def read_tool_use(template: str, special_tokens: Mapping[str, str] | None = None) -> ToolUse:
    """How a model with this template calls tools; never raises.

    `special_tokens` (bos_token, ...) are what the template may print. One that writes no calls
    in a way that is known is taken to have the Hermes form.
    """
    try:
        return _read(template, tuple(sorted((special_tokens or {}).items())))
    except _Spent:
        return ToolUse()


class _Spent(Exception):
    """Somebody else's questions have used up the budget, so this is no answer to remember."""


@lru_cache(maxsize=8)
def _read(template: str, special_tokens: tuple[tuple[str, str], ...]) -> ToolUse:
    with one_budget() as budget:
        fresh = budget.steps == budget.limits.steps
        found = _ask(template, dict(special_tokens))
        if budget.spent is not None and not found.known and not fresh:
            raise _Spent
    return found


def _ask(source: str, special_tokens: Mapping[str, str]) -> ToolUse:
    try:
        asked = _Asked(ChatTemplate(source), special_tokens)
    except TemplateError:
        return ToolUse()
    for ids, as_text in ((False, False), (True, False), (False, True), (True, True)):
        use = ToolUse(ids=ids, as_text=as_text)
        written = asked.calls(use, (_CALL,))
        if written is None:
            continue
        for each in FORMATS:
            if asked.reads(each, written):
                two = asked.calls(use, (_CALL, _CALL))
                both = two is not None and two.count(str(_CALL.arguments["word"])) == 2
                probes = {name: asked.calls(use, calls) for name, calls in PROBES.items()}
                form = call_form(each, probes)
                return replace(use, format=each, known=True, one_each=not both, written=form)
    written = asked.calls(ToolUse(), (_CALL,))
    return ToolUse(in_text=written is not None and _CALL.name not in written)


def _as_hermes(calls: Sequence[ToolCall]) -> str:
    said = ({"name": call.name, "arguments": dict(call.arguments)} for call in calls)
    return "\n".join(
        f"<tool_call>\n{json.dumps(each, ensure_ascii=False)}\n</tool_call>" for each in said
    )


class _Asked:
    """A template, and what it wrote between a question and the result of a tool."""

    def __init__(self, template: ChatTemplate, special_tokens: Mapping[str, str]) -> None:
        self._template, self._special = template, special_tokens
        answer = (Message("user", _QUESTION), Message("assistant", _ANSWER))
        self._before = self._between((*answer, Message("user", _RESULT)), _ANSWER)

    def calls(self, use: ToolUse, calls: tuple[ToolCall, ...]) -> str | None:
        """What stands behind the question where tools were called so in one message."""
        results = [Message("tool", _RESULT, name=_CALL.name)] * len(calls)
        called = Message("assistant", "", calls)
        return self._between(use.shaped((Message("user", _QUESTION), called, *results)), _RESULT)

    def reads(self, form: ToolFormat, written: str) -> bool:
        """Whether this format finds the one call in it, and nothing else."""
        places = [at for each in form.watched if (at := written.find(each)) >= 0]
        if not places:
            return False
        if not form.writes(written):
            return False
        # Bare JSON is a call of this form only where an answer begins.
        if form.leads and written[: min(places)].strip() != (self._before or "").strip():
            return False
        parsed = form.parse(written[min(places) :])
        return parsed.calls == (_CALL,) and not parsed.errors

    def _between(self, messages: Sequence[Message], end: str) -> str | None:
        try:
            text = self._template.render(messages, (ANY_TOOL,), special_tokens=self._special).text
        except TemplateError:
            return None
        _, asked, behind = text.rpartition(_QUESTION)
        return behind.partition(end)[0] if asked and end in behind else None
