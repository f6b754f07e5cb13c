"""How a person wants a model to be run, and what that comes to for one file. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.settings import asked_budget, wanted_thoughts, with_thoughts
from qwq_gguf.words import did_you_mean

if TYPE_CHECKING:
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.profiles import Profile, Resolved
    from qwq_gguf.sampling.settings import SettingValue
    from qwq_gguf.thinking import Thoughts

__all__ = ["OFF", "Settled", "Wishes", "changeable", "read_number", "settle"]

OFF = ("off", "none", "default")
_SWITCHES = ("enable_thinking", "thinking")
_TEXTS = ("dry_breakers", "grammar", "grammar_root", "grammar_scope", "logit_bias")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was asked for, by flags or in the chat; None leaves it to the file.

    `settings` are single numbers of the chain, `think` turns thoughts on or off, `budget`
    closes one after so many tokens (below 0: never), `variables` go to the chat template,
    `governor` are single keys of the governor, `effort` is how hard to think, in the template's
    words.
    """

    profile: str | None = None
    settings: Mapping[str, SettingValue | None] = field(default_factory=dict)
    think: bool | None = None
    budget: int | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    governor: Mapping[str, Any] = field(default_factory=dict)
    effort: str | None = None

    def with_thinking(self, think: bool) -> Wishes:
        """Thoughts on or off, whatever was said of them before."""
        budget = None if think and self.budget == 0 else self.budget
        silent = {
            k: v for k, v in self.variables.items() if k not in ("enable_thinking", "thinking")
        }
        return replace(self, think=think, budget=budget, variables=silent)

    def with_budget(self, budget: int | None) -> Wishes:
        """Another budget for a thought; None is the profile's, 0 no thought."""
        return replace(self, budget=budget, think=None if budget == 0 else self.think)

    def with_setting(self, name: str, value: SettingValue | None) -> Wishes:
        """One number of the chain, None for the profile's."""
        return replace(self, settings={**self.settings, name: value})


@dataclass(frozen=True, slots=True)
class Settled:
    """Wishes for one file: who decided what, the profile to run, what becomes of thoughts."""

    resolved: Resolved
    profile: Profile
    thoughts: Thoughts


def settle(metadata: Mapping[str, KeyValue], wishes: Wishes) -> Settled:
    """What these wishes come to for a GGUF with this metadata.

    ProfileError, ChainError and UsageError say which of them makes no sense.
    """
    from qwq_gguf.profiles import resolve, thoughts_of

    budget = asked_budget(wishes.budget, wishes.governor)
    wanted = wanted_thoughts(wishes.think, budget, wishes.variables)
    resolved = resolve(
        metadata, requested=wishes.profile, overrides=wishes.settings, thinking=wanted
    )
    profile = with_thoughts(resolved.profile, wanted, budget, wishes.governor, wishes.effort)
    return Settled(resolved, profile, thoughts_of(metadata, profile, wishes.variables))


def changeable() -> tuple[str, ...]:
    """The numbers of a chain by name, as `/set` knows them."""
    from qwq_gguf.sampling.settings import SETTINGS

    return tuple(name for name in SETTINGS if name not in _TEXTS)


def read_number(name: str, text: str) -> SettingValue | None:
    """The value that somebody typed for one of `changeable`; None for the profile's.

    UsageError for a name that there isn't, or a text that is no number.
    """
    from qwq_gguf.sampling.settings import SETTINGS

    if name not in changeable():
        near = did_you_mean(name, changeable())
        where = "fixed when the chat begins" if name in SETTINGS else "no setting"
        raise UsageError(f"{name[:60]} is {where}", hint=near or "/set lists them")
    if text in OFF:
        return None
    if name.endswith("_window") and text in ("generation", "context"):
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"{name} is a number", found=text[:60]) from None
