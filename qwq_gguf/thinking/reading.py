"""Whether a model thinks, read from what its prompts do.

A word in a template proves nothing: many a plain model's template takes thoughts out of
earlier turns, and many a hybrid's closes the thought before the reply begins. So the
template is rendered, and one looks at where its generation prompt leaves the reply, with
each switch that templates are known to have unset, on and off. Everything that has to know
(chat, repairs, profiles, inspect, exporters) asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from qwq_gguf.chat.prompt import RenderedPrompt
from qwq_gguf.chat.template import ChatTemplate, one_budget
from qwq_gguf.chat.template_of_file import special_texts, template_of
from qwq_gguf.errors import TemplateError
from qwq_gguf.metadata import KeyValue
from qwq_gguf.thinking.asked_template import ANSWER, FIELDS, THOUGHT, Asked
from qwq_gguf.thinking.form import (
    BUDGET,
    EFFORT,
    EFFORTS,
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
# Words that templates look for in the system's message: Nemotron Nano 2.
_OFF_WORDS = ("/no_think",)
_WORD = "QwordQ"
# Those that make a template leave earlier thoughts in: GLM; Qwen3.6; Nemotron; LFM2.5;
# DeepSeek-V3.2; Kimi.
_KEEPS: tuple[tuple[str, SwitchValue], ...] = (
    ("clear_thinking", False),
    ("preserve_thinking", True),
    ("truncate_history_thinking", False),
    ("keep_past_thinking", True),
    ("drop_thinking", False),
)


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


def _switches(asked: Asked) -> list[Switch]:
    # What is not in the text cannot be read by it.
    return [switch for switch in _SWITCHES if switch.name in asked.source]


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
    return found


def _ask(template: str, special_tokens: tuple[tuple[str, str], ...]) -> ThoughtForm:
    try:
        asked = Asked(ChatTemplate(template), dict(special_tokens))
    except TemplateError:
        return NO_THOUGHT
    plain = asked.prompt({})
    if plain is None:
        return NO_THOUGHT
    turns = [None, *filter(None, (_turn(asked, plain, s) for s in _switches(asked)))]
    forms = (_form(asked, plain, tags, turn) for tags in KNOWN_TAGS for turn in turns)
    found = (form for form in forms if form is not None)
    return _further(asked, max(found, key=_certainty, default=NO_THOUGHT))


@dataclass(frozen=True, slots=True)
class _Turn:
    """A switch that changes the prompt, and the prompts it makes."""

    switch: Switch
    on: RenderedPrompt
    off: RenderedPrompt
    default_on: bool


def _turn(asked: Asked, plain: RenderedPrompt, switch: Switch) -> _Turn | None:
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


def _repeats(asked: Asked, switch: Switch, made: RenderedPrompt) -> bool:
    """Whether any other word would be printed just as well."""
    other = asked.prompt({switch.name: _WORD})
    return other is not None and other.text.replace(_WORD, str(switch.off)) == made.text


def _form(
    asked: Asked, plain: RenderedPrompt, tags: ThinkingTags, turn: _Turn | None
) -> ThoughtForm | None:
    """What the template does about thoughts in these tags; None if it has no notion of any."""
    on, off = (plain, plain) if turn is None else (turn.on, turn.off)
    unset, when_on, when_off = (thought_start(made, tags) for made in (plain, on, off))
    drops = _drops(asked, tags)
    asks = _written(plain.text, tags) and unset is ThoughtStart.FREE
    seen = (
        drops
        or asks
        or _written(on.text, tags)
        or _written(asked.history(ANSWER, THOUGHT), tags)
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


def _drops(asked: Asked, tags: ThinkingTags) -> bool:
    """Whether the thought of an earlier answer is left out, wherever it was given."""
    channels = tags.channels
    if channels is None:
        text = asked.history(f"{tags.open}\n{THOUGHT}\n{tags.close}\n\n{ANSWER}")
        return THOUGHT not in text and ANSWER in text
    answered = f"{channels.opening(channels.answer)}{ANSWER}{channels.end}"
    text = asked.history(ANSWER, THOUGHT)
    return answered in text and THOUGHT not in text


def _further(asked: Asked, form: ThoughtForm) -> ThoughtForm:
    """The form with what else the template takes: fields of messages, effort, a budget."""
    if form == NO_THOUGHT:
        return form
    # Some look only where the model is told to think.
    on = form.variables(True)
    field = next((name for name in FIELDS if _reads(asked, name, on)), None)
    keeps = None
    if field is not None and THOUGHT not in asked.history(ANSWER, THOUGHT, fields=(field,)):
        keeps = next((pair for pair in _KEEPS if _kept(asked, field, pair, on)), None)
    word = _off_word(asked, form)
    return replace(
        form,
        off=form.off if word is None else ThoughtStart.CLOSED,
        word=word,
        drops_history=form.drops_history or keeps is not None,
        field=field,
        keeps=keeps,
        efforts=_efforts(asked),
        budgets=_tells(asked, {BUDGET: 1023}) and _tells(asked, {BUDGET: 2047}, {BUDGET: 1023}),
    )


def _off_word(asked: Asked, form: ThoughtForm) -> str | None:
    """A word in the system's message with which the template closes the thought."""
    if form.tags is None or ThoughtStart.CLOSED in (form.unset, form.off):
        return None
    for word in _OFF_WORDS:
        if word not in asked.source:
            continue
        told, other = asked.told(word), asked.told(_WORD)
        if told is None or other is None:
            continue
        starts = thought_start(told, form.tags), thought_start(other, form.tags)
        if starts[0] is ThoughtStart.CLOSED is not starts[1]:
            return word
    return None


def _reads(asked: Asked, field: str, on: Mapping[str, SwitchValue]) -> bool:
    return field in asked.source and any(
        THOUGHT in asked.within_turn(field, variables)
        or THOUGHT in asked.history(ANSWER, THOUGHT, fields=(field,), variables=variables)
        for variables in ({}, on)
    )


def _kept(
    asked: Asked, field: str, pair: tuple[str, SwitchValue], on: Mapping[str, SwitchValue]
) -> bool:
    return pair[0] in asked.source and THOUGHT in asked.history(
        ANSWER, THOUGHT, fields=(field,), variables={**on, **dict((pair,))}
    )


def _efforts(asked: Asked) -> tuple[str, ...]:
    """The words that the template has a prompt for: it prints any, or knows some."""
    if EFFORT not in asked.source:
        return ()
    # Some speak of an effort only where there is a thought.
    on: dict[str, SwitchValue] = {
        s.name: s.on for s in _switches(asked) if s.on is not None and s.name != EFFORT
    }
    other = asked.prompt({**on, EFFORT: _WORD})
    made = {word: asked.prompt({**on, EFFORT: word}) for word in EFFORTS}
    texts = {word: prompt.text for word, prompt in made.items() if prompt is not None}
    if other is None:  # it refuses words that it does not know
        known = list(texts)
    elif _WORD in other.text:  # any word will do
        known = [word for word in ("low", "medium", "high") if word in texts]
    else:
        known = [word for word, text in texts.items() if text != other.text]
    return tuple(known) if len({texts[word] for word in known}) > 1 or len(known) == 1 else ()


def _tells(
    asked: Asked,
    variables: Mapping[str, SwitchValue],
    than: Mapping[str, SwitchValue] | None = None,
) -> bool:
    """Whether the prompt is another one with these variables."""
    if not all(name in asked.source for name in variables):
        return False
    made, other = asked.prompt(variables), asked.prompt(than or {})
    return made is not None and other is not None and made.text != other.text


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
