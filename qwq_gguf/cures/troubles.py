"""What will go wrong with a model as a runtime runs it, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from qwq_gguf.cures.running import Running
from qwq_gguf.exporters.facts import GgufFacts
from qwq_gguf.exporters.runtime_words import Flat, flatten, spoken_order
from qwq_gguf.exporters.thoughts import spoken_thoughts
from qwq_gguf.profiles import Profile

__all__ = ["Kind", "Trouble", "last_bound", "troubles_of"]

Kind = Literal[
    "context", "repeat penalty", "numbers", "order", "thought tags", "template", "endless", "ending"
]
_NUMBERS = ("temperature", "top_k", "top_p", "min_p", "presence_penalty", "frequency_penalty")
_NEAR = 1e-6
# Without a budget, the share of the context that a thought may need.
_THOUGHT_SHARE = 0.75
# What a profile says is what its numbers were meant for; a little less does no harm.
_ENOUGH = 0.9


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that will go wrong: `what` is so now, `leads_to` is what comes of it."""

    kind: Kind
    what: str
    leads_to: str

    def to_json(self) -> dict[str, str]:
        """For `--json`."""
        return {"kind": self.kind, "what": self.what, "leads_to": self.leads_to}


def last_bound(profile: Profile, context: int) -> int:
    """The most tokens of a whole reply, for a runtime that cannot bound the thought alone.

    The profile's budget for a thought, and half of what the context has beyond it for the answer:
    what is left is for the question.
    """
    budget = profile.governor.budget or int(context * _THOUGHT_SHARE)
    budget = min(budget, int(context * _THOUGHT_SHARE))
    return budget + (context - budget) // 2


def troubles_of(running: Running, profile: Profile, facts: GgufFacts) -> tuple[Trouble, ...]:
    """Everything that will go wrong, the worst first."""
    flat = flatten(profile, facts.context)
    thinks = spoken_thoughts(profile, facts).on
    return (
        *(_endless(running) if thinks else ()),
        *_context(running, flat, thinks=thinks),
        *_repeat(running, flat),
        *_tags(running, profile, facts),
        *_numbers(running, flat),
        *_order(running, profile, flat),
    )


def _endless(running: Running) -> Iterator[Trouble]:
    if running.bound is None and running.budget is None:
        yield Trouble(
            "endless",
            f"{running.runtime} bounds neither the thought nor the reply",
            "a thought that goes in circles goes on until the context is full, and past it",
        )


def _context(running: Running, flat: Flat, *, thinks: bool) -> Iterator[Trouble]:
    context, needed = running.context, flat.tokens
    if (running.context_least if context is None else context) >= needed * _ENOUGH:
        return
    leads_to = (
        f"the thought is cut off before its answer: {needed:,} tokens are meant for this model"
        if thinks
        else f"long texts are cut off: {needed:,} tokens are meant for this model"
    )
    if context is not None:
        yield Trouble("context", f"the context is {context:,} tokens", leads_to)
    else:
        yield Trouble("context", f"no context is set: {running.context_default}", leads_to)


def _repeat(running: Running, flat: Flat) -> Iterator[Trouble]:
    if not flat.says("repeat_penalty"):
        return
    wanted, has = flat.number("repeat_penalty"), running.values.get("repeat_penalty")
    leads_to = (
        "a thought says numbers and names again because it has to; made to avoid them, it "
        "rewords, goes astray and gets longer"
    )
    doubt = running.doubts.get("repeat_penalty")
    if has is not None and has > wanted + _NEAR:
        whose = "" if "repeat_penalty" in running.said else f", {running.runtime}'s default"
        yield Trouble("repeat penalty", f"the repeat penalty is {has:g}{whose}", leads_to)
    elif doubt is not None and "repeat_penalty" not in running.said:
        yield Trouble("repeat penalty", f"no repeat penalty is set: {doubt}", leads_to)


def _tags(running: Running, profile: Profile, facts: GgufFacts) -> Iterator[Trouble]:
    thoughts = spoken_thoughts(profile, facts)
    if not thoughts.possible:
        return
    if not running.sees_thoughts:
        yield Trouble(
            "thought tags",
            f"{running.runtime} is not told how thoughts look" + _doubt(running, "sees_thoughts"),
            "the thought comes as part of the answer, cannot be turned off, and is sent again "
            "with every turn",
        )
    if thoughts.opened and not running.opens_thought:
        tag = "the thought" if thoughts.tags is None else thoughts.tags.open
        yield Trouble(
            "template",
            f"the prompt does not end with {tag}, as the model's own template has it"
            + _doubt(running, "opens_thought"),
            "the model answers without a thought, or thinks where the answer should be",
        )


def _doubt(running: Running, name: str) -> str:
    return f" ({running.doubts[name]})" if name in running.doubts else ""


def _numbers(running: Running, flat: Flat) -> Iterator[Trouble]:
    differ = [
        f"{name.replace('_', ' ')} {running.values[name]:g} instead of {flat.number(name):g}"
        for name in _NUMBERS
        if flat.says(name)
        and name in running.values
        and abs(running.values[name] - flat.number(name)) > _NEAR
    ]
    if differ:
        yield Trouble(
            "numbers",
            ", ".join(differ),
            "other tokens are picked than the model's makers meant: more slips, and thoughts "
            "that take longer to mend them",
        )


def _order(running: Running, profile: Profile, flat: Flat) -> Iterator[Trouble]:
    if not profile.says("order"):
        return
    acting = set(flat.order)
    wanted = tuple(name for name in spoken_order(profile) if name in acting)
    has = tuple(name for name in running.order if name in acting)
    if wanted == has:
        return
    yield Trouble(
        "order",
        f"samplers in the order {' > '.join(has)}, not {' > '.join(wanted)}",
        _order_leads_to(wanted, has),
    )


def _order_leads_to(wanted: tuple[str, ...], has: tuple[str, ...]) -> str:
    told = []
    missing = [name for name in wanted if name not in has]
    if missing:
        told.append(f"{' and '.join(missing)} does nothing")
    if "temperature" in has and has[-1] == "temperature" and wanted[-1] != "temperature":
        told.append(
            "top_p and min_p measure before the temperature, and let more of the unlikely tokens "
            "through"
        )
    if has[:1] == ("penalties",) and wanted[:1] != ("penalties",):
        told.append(
            "the penalty acts before the cut, so that tokens get in which the model itself finds "
            "far from likely"
        )
    return "; ".join(told) or "the numbers mean something else than they were meant to"
