"""What an export says about thoughts: by what the template does, and nothing else.

Runtimes have many words for thinking (a parser, tags, a switch, a budget), and each of them
harms a model that does not think. So no exporter asks a word of the template; all ask here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from qwq_gguf.chat.prompt import cut_prompt
from qwq_gguf.chat.sandbox.marked import TRUSTED
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.runtime_words import flatten
from qwq_gguf.profiles import Profile
from qwq_gguf.thinking import ThinkingTags, Thoughts, ThoughtStart
from qwq_gguf.thinking.form import SwitchValue

__all__ = ["SpokenThoughts", "begun", "spoken_thoughts"]

# Of the context an answer and a question need a share, too.
_MOST_OF_CONTEXT = 0.75
# llama-server takes a budget of 0 for none at all.
_NO_THOUGHT = 1


@dataclass(frozen=True, slots=True)
class SpokenThoughts:
    """How thoughts are to be run: of one profile, with one file.

    `possible`: the model is known to think, if need be when it is told to; `tags` are then
    those around its thoughts, None where they are none of the usual. `on` says whether there
    is a thought when a client says nothing, and `opened` whether the template opens it.
    `effort` is the word for how hard to think. `switch` are the variables that have to be told
    to the template for all that, empty where it does so by itself. `budget` is the most tokens
    of a thought, 1 where a budget is all that keeps it away; `unsaid` has sentences about it.
    """

    possible: bool = False
    tags: ThinkingTags | None = None
    on: bool = False
    switch: tuple[tuple[str, SwitchValue], ...] = ()
    opened: bool = False
    effort: str | None = None
    budget: int | None = None
    unsaid: tuple[str, ...] = ()

    def untold(self, how: str) -> tuple[str, ...]:
        """A sentence for a runtime that is not told the switch; `how` says who tells it."""
        if not self.switch:
            return ()
        told = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.switch)
        return (f"thinking {'on' if self.on else 'off'} ({told} for the template): {how}",)

    def by_itself(self, who: str) -> tuple[str, ...]:
        """A sentence for a runtime whose two texts cannot describe channels; `who` has to."""
        if self.tags is None or self.tags.channels is None:
            return ()
        return (f"the channels of thought and answer: {who} has to know this format by itself",)


def spoken_thoughts(profile: Profile, facts: GgufFacts) -> SpokenThoughts:
    """How `profile` runs the thoughts of this file's model."""
    form, wanted = facts.thought, profile.wants_thoughts
    possible = form.can_think or (facts.reasoner and form.on is not ThoughtStart.CLOSED)
    if not possible:
        return SpokenThoughts()
    by_itself = form.thinks or (facts.reasoner and form.unset is not ThoughtStart.CLOSED)
    on = by_itself if wanted is None else wanted
    # Servers have notions of their own of a template's default, so a default that is off is told.
    told = on if wanted is not None or (form.switch is not None and not form.default_on) else None
    mine = _thoughts(profile, facts)
    switch = tuple(replace(mine, wanted=told).variables.items())
    budget, unsaid = _budget(profile, facts)
    return SpokenThoughts(
        possible=True,
        tags=mine.tags if mine.has_thoughts else None,
        on=on,
        switch=switch,
        opened=form.start(told) is ThoughtStart.OPENED,
        effort=mine.effort if on and mine.effort in form.efforts else None,
        budget=_NO_THOUGHT if wanted is False and not switch else budget or None,
        unsaid=_off_by_word(facts) if wanted is False else unsaid,
    )


def begun(profile: Profile, facts: GgufFacts, opening: str, thinking: bool | None) -> str:
    """What a generation prompt ends with, as our own engine leaves it: the thought opened or
    closed where the template does not say. `opening` is the template's own end.
    """
    thoughts = _thoughts(profile, facts, thinking)
    prompt = cut_prompt(opening, TRUSTED * len(opening), ())
    return thoughts.begin(prompt, ()).text


def _thoughts(profile: Profile, facts: GgufFacts, thinking: bool | None = None) -> Thoughts:
    return Thoughts(
        facts.thought,
        thinking,
        opens=profile.template.opens_thought,
        reasoner=facts.reasoner,
        asked_tags=profile.thinking,
        history=profile.template.history,
        effort=profile.template.effort,
        budget=profile.governor.budget,
    )


def _off_by_word(facts: GgufFacts) -> tuple[str, ...]:
    word = facts.thought.word
    if word is None:
        return ()
    return (f"thinking off: the template looks for {word} in the system's message: write it there",)


def _budget(profile: Profile, facts: GgufFacts) -> tuple[int | None, tuple[str, ...]]:
    asked, tokens = profile.governor.budget, flatten(profile, facts.room).tokens
    most = int(tokens * _MOST_OF_CONTEXT)
    if asked is None or asked <= most:
        return asked, ()
    return most, (
        f"the thought budget of {asked} tokens: a context of {tokens} has no room for it "
        f"and an answer, so it is {most}",
    )
