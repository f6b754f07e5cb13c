"""Whether a model thinks, read from what its prompts do.

A word in a template proves nothing: many a plain model's template takes thoughts out of
earlier turns, and many a hybrid's closes the thought before the reply begins. So the
template is rendered, and one looks at where its generation prompt leaves the reply, with
each switch that templates are known to have unset, on and off. Everything that has to know
(chat, repairs, profiles, inspect, exporters) asks here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qwq_gguf.chat.messages import Message
from qwq_gguf.chat.of_file import special_texts, template_of
from qwq_gguf.chat.prompt import RenderedPrompt
from qwq_gguf.chat.template import ChatTemplate, one_budget
from qwq_gguf.errors import TemplateError
from qwq_gguf.metadata import KeyValue
from qwq_gguf.thinking.form import (
    NO_THOUGHT,
    Switch,
    SwitchValue,
    ThoughtForm,
    ThoughtStart,
    thought_start,
)
from qwq_gguf.thinking.tags import KNOWN_TAGS, ThinkingTags

__all__ = ["form_of", "read_form"]

# Variables that published templates read: Qwen3, GLM, Nemotron and SmolLM3; DeepSeek-V3.1,
# Granite and Kimi; Command A; MiniMax-M3; gpt-oss and its kin, of which few know a word for
# none; Hunyuan 3, which does; Seed-OSS.
_SWITCHES = (
    Switch("enable_thinking", True, False),
    Switch("thinking", True, False),
    Switch("reasoning", True, False),
    Switch("thinking_mode", "enabled", "disabled"),
    Switch("reasoning_effort", "high", "none"),
    Switch("reasoning_effort", "high", "no_think"),
    Switch("thinking_budget", None, 0),
)
_QUESTION, _THOUGHT, _ANSWER, _WORD = "QquestionQ", "QthoughtQ", "QanswerQ", "QwordQ"
_ASK = (Message("user", _QUESTION),)


def read_form(template: str, special_tokens: Mapping[str, str] | None = None) -> ThoughtForm:
    """What a template does about thoughts; never raises.

    `special_tokens` (bos_token, ...) are what it may print. A template that cannot be
    rendered knows of no thoughts.
    """
    try:
        return _read(template, tuple(sorted((special_tokens or {}).items())))
    except _Spent:
        return NO_THOUGHT


def form_of(metadata: Mapping[str, KeyValue]) -> ThoughtForm:
    """What the chat template in a GGUF's keys does about thoughts; never raises."""
    template = template_of(metadata)
    return NO_THOUGHT if template is None else read_form(template, special_texts(metadata))


class _Spent(Exception):
    """Somebody else's questions have used up the budget, so this is no answer to remember."""


# A command asks several times for the same file, and a template can be slow.
@lru_cache(maxsize=8)
def _read(template: str, special_tokens: tuple[tuple[str, str], ...]) -> ThoughtForm:
    with one_budget() as budget:
        fresh = budget.steps == budget.limits.steps
        found = _ask(template, special_tokens)
        if budget.spent is not None:  # then part of what was asked has no answer
            if not fresh:
                raise _Spent
            return NO_THOUGHT
    return max(found, key=_certainty, default=NO_THOUGHT)


def _ask(template: str, special_tokens: tuple[tuple[str, str], ...]) -> list[ThoughtForm]:
    try:
        asked = _Asked(ChatTemplate(template), dict(special_tokens))
    except TemplateError:
        return []
    plain = asked.prompt({})
    if plain is None:
        return []
    turns = [None, *filter(None, (_turn(asked, plain, s) for s in asked.switches))]
    forms = (_form(asked, plain, tags, turn) for tags in KNOWN_TAGS for turn in turns)
    return [form for form in forms if form is not None]


class _WithThought(Message):
    """An assistant's turn with its thought in the fields that templates look in."""

    def to_json(self) -> dict[str, Any]:
        fields = ("reasoning_content", "reasoning", "thinking")
        return Message.to_json(self) | dict.fromkeys(fields, self.thinking)


class _Asked:
    """A template, the switches it may have, and the prompts it made."""

    def __init__(self, template: ChatTemplate, special_tokens: Mapping[str, str]) -> None:
        self._template, self._special = template, special_tokens
        # What is not in the text cannot be read by it.
        self.switches = tuple(switch for switch in _SWITCHES if switch.name in template.source)
        self._prompts: dict[object, RenderedPrompt | None] = {}

    def prompt(self, variables: Mapping[str, SwitchValue]) -> RenderedPrompt | None:
        """The prompt after one question, None if these variables are refused."""
        return self._made(tuple(variables.items()), _ASK, variables)

    def history(self, answer: str, thinking: str = "") -> str:
        """A prompt in which something was answered before; empty if it is refused."""
        kind = _WithThought if thinking else Message
        talk = (*_ASK, kind("assistant", answer, thinking=thinking), Message("user", "more"))
        made = self._made((answer, thinking), talk, {})
        return "" if made is None else made.text

    def _made(
        self, key: object, talk: Sequence[Message], variables: Mapping[str, SwitchValue]
    ) -> RenderedPrompt | None:
        if key not in self._prompts:
            try:
                made: RenderedPrompt | None = self._template.render(
                    talk, variables=variables, special_tokens=self._special
                )
            except TemplateError:
                made = None
            self._prompts[key] = made
        return self._prompts[key]


@dataclass(frozen=True, slots=True)
class _Turn:
    """A switch that changes the prompt, and the prompts it makes."""

    switch: Switch
    on: RenderedPrompt
    off: RenderedPrompt
    default_on: bool


def _turn(asked: _Asked, plain: RenderedPrompt, switch: Switch) -> _Turn | None:
    """What a switch does; None for one that changes nothing."""
    on, off = (
        plain if value is None else asked.prompt({switch.name: value})
        for value in (switch.on, switch.off)
    )
    if isinstance(switch.off, str) and off is not None and _repeats(asked, switch, off):
        off = None  # nothing in the template knows that this word means none
    usable = Switch(
        switch.name,
        None if on is None else switch.on,
        None if off is None else switch.off,
    )
    on, off = on or plain, off or plain
    if on.text == off.text:
        return None
    default_on = usable.off is None or plain.text == on.text or plain.text != off.text
    return _Turn(usable, on, off, default_on)


def _repeats(asked: _Asked, switch: Switch, made: RenderedPrompt) -> bool:
    """Whether any other word would be printed just as well."""
    other = asked.prompt({switch.name: _WORD})
    return other is not None and other.text.replace(_WORD, str(switch.off)) == made.text


def _form(
    asked: _Asked, plain: RenderedPrompt, tags: ThinkingTags, turn: _Turn | None
) -> ThoughtForm | None:
    """What the template does about thoughts in these tags; None if it has no notion of any."""
    on, off = (plain, plain) if turn is None else (turn.on, turn.off)
    unset, when_on, when_off = (thought_start(made, tags) for made in (plain, on, off))
    text = asked.history(f"{tags.open}\n{_THOUGHT}\n{tags.close}\n\n{_ANSWER}")
    drops = _THOUGHT not in text and _ANSWER in text
    asks = _written(plain.text, tags) and unset is ThoughtStart.FREE
    seen = (
        drops
        or asks
        or _written(on.text, tags)
        or _written(asked.history(_ANSWER, _THOUGHT), tags)
        or {unset, when_on, when_off} != {ThoughtStart.FREE}
    )
    if not seen and turn is None:
        return None
    return ThoughtForm(
        tags=tags if seen else None,
        unset=unset,
        on=when_on,
        off=when_off,
        switch=None if turn is None else turn.switch,
        default_on=turn is not None and turn.default_on,
        asks=asks,
        drops_history=drops,
    )


def _written(text: str, tags: ThinkingTags) -> bool:
    """Whether the template's own words have a thought's place in them."""
    return tags.close in text.partition(tags.open)[2]


def _certainty(form: ThoughtForm) -> tuple[bool, ...]:
    """A prompt that opens or closes a thought says more than words, or a history without."""
    return (
        form.on is not form.off,
        {form.unset, form.on, form.off} != {ThoughtStart.FREE},
        form.tags is not None,
        form.asks,
        form.drops_history,
        form.switch is not None,
        form.switch is not None and form.switch.off is not None,
    )
