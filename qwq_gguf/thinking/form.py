"""What a chat template does about thoughts, as a value; `qwq_gguf.thinking.reading` finds it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from qwq_gguf.chat.prompt import RenderedPrompt
from qwq_gguf.thinking.tags import ThinkingTags

__all__ = [
    "BUDGET",
    "EFFORT",
    "EFFORTS",
    "NO_THOUGHT",
    "Switch",
    "SwitchValue",
    "ThoughtForm",
    "ThoughtStart",
    "thought_start",
]

# What templates call how hard the model is to think, and for how many tokens.
EFFORT, BUDGET = "reasoning_effort", "thinking_budget"
# The words for that, from little to much; each template knows some of them.
EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")

SwitchValue: TypeAlias = bool | str | int


class ThoughtStart(StrEnum):
    """Where a generation prompt leaves the reply."""

    OPENED = "opened"  # inside a thought
    CLOSED = "closed"  # behind a thought that is closed already: none is to follow
    FREE = "free"  # the model may open a thought, or not


@dataclass(frozen=True, slots=True)
class Switch:
    """A template's variable that decides whether there is a thought.

    `on` and `off` are the values to give it, None for a side that it has no value for:
    then nothing is given.
    """

    name: str
    on: SwitchValue | None
    off: SwitchValue | None


@dataclass(frozen=True, slots=True)
class ThoughtForm:
    """What one chat template does about thoughts.

    `tags` are those it writes, asks for or takes out, None where it knows none of ours.
    `unset`, `on` and `off` say where its generation prompt leaves the reply when nobody
    says anything, and with the switch on and off; without a `switch` or a `word` all three are
    the same. `default_on`: nobody saying anything is the same as on. `asks`: when nobody says
    anything, the prompt tells the model in words to think in the tags. `drops_history`:
    thoughts of earlier turns are left out of the prompt.

    `field` is where it looks for the thought of an assistant's message, None where it looks
    nowhere but in the text; `keeps` is the variable, and its value, that makes it leave the
    thoughts of earlier turns in. `efforts` are the words that its variable
    `reasoning_effort` takes, and `budgets` says that it tells the model a `thinking_budget`.
    `word` is what turns thoughts off where it stands in the system's message, for a template
    without a variable for it.
    """

    tags: ThinkingTags | None = None
    unset: ThoughtStart = ThoughtStart.FREE
    on: ThoughtStart = ThoughtStart.FREE
    off: ThoughtStart = ThoughtStart.FREE
    switch: Switch | None = None
    default_on: bool = False
    asks: bool = False
    drops_history: bool = False
    field: str | None = None
    keeps: tuple[str, SwitchValue] | None = None
    efforts: tuple[str, ...] = ()
    budgets: bool = False
    word: str | None = None

    @property
    def thinks(self) -> bool:
        """Whether the model is known to think when nobody says anything.

        A prompt that leaves it to the model proves nothing by itself, but a template whose
        switch can put an end to thoughts says that there are some without it, and so does
        one that asks for them.
        """
        if self.unset is not ThoughtStart.FREE:
            return self.unset is ThoughtStart.OPENED
        return self.asks or (self.switch is not None and self.default_on)

    @property
    def can_think(self) -> bool:
        """Whether the model is known to think, if need be when it is told to."""
        return self.thinks or self.switch is not None or self.on is ThoughtStart.OPENED

    def start(self, thinking: bool | None = None) -> ThoughtStart:
        """Where the prompt leaves the reply: unset, on or off."""
        return self.unset if thinking is None else self.on if thinking else self.off

    def variables(self, thinking: bool | None = None) -> dict[str, SwitchValue]:
        """What to give the template for thinking unset, on or off."""
        if self.switch is None or thinking is None:
            return {}
        value = self.switch.on if thinking else self.switch.off
        return {} if value is None else {self.switch.name: value}

    def describe(self) -> str:
        """All of it in a line, for a person."""
        if self == NO_THOUGHT:
            return "no sign of them"
        tags = "tags unknown" if self.tags is None else self.tags.describe()
        said = [tags, _STARTS[self.unset]]
        if self.asks:
            said[1] = "asked for by the template"
        if self.switch is not None:
            said.append(
                f"switch {self.switch.name} ({'on' if self.default_on else 'off'} unless set)"
            )
        if self.word is not None:
            said.append(f"{self.word} in the system's message turns them off")
        if self.efforts:
            said.append(f"{EFFORT} {'/'.join(self.efforts)}")
        if self.budgets:
            said.append(f"a {BUDGET} in the prompt")
        if self.drops_history:
            kept = f" unless {self.keeps[0]} is {json.dumps(self.keeps[1])}" if self.keeps else ""
            said.append(f"earlier ones are left out{kept}")
        return ", ".join(said)

    def to_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        switch = self.switch
        return {
            "open": self.tags and self.tags.open,
            "close": self.tags and self.tags.close,
            "thinks": self.thinks,
            "can_think": self.can_think,
            "unset": str(self.unset),
            "on": str(self.on),
            "off": str(self.off),
            "switch": switch and {"name": switch.name, "on": switch.on, "off": switch.off},
            "asks": self.asks,
            "drops_history": self.drops_history,
            "channels": self.tags is not None and self.tags.channels is not None,
            "field": self.field,
            "keeps": self.keeps and {"name": self.keeps[0], "value": self.keeps[1]},
            "efforts": list(self.efforts),
            "budgets": self.budgets,
            "word": self.word,
        }


_STARTS = {
    ThoughtStart.OPENED: "opened by the template",
    ThoughtStart.CLOSED: "closed by the template",
    ThoughtStart.FREE: "left to the model",
}
NO_THOUGHT = ThoughtForm()


def thought_start(prompt: RenderedPrompt, tags: ThinkingTags) -> ThoughtStart:
    """Where a prompt, as its template wrote it, leaves the reply."""
    if prompt.ends_with(tags.open):
        return ThoughtStart.OPENED
    closed = tags.closes if tags.channels is None else (tags.no_thought,)
    return ThoughtStart.CLOSED if any(map(prompt.ends_with, closed)) else ThoughtStart.FREE
