"""How a model is run: its profile with what was asked for besides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import UsageError

if TYPE_CHECKING:
    from qwq_gguf.metadata import KeyValue
    from qwq_gguf.profiles import Profile
    from qwq_gguf.sampling.settings import SettingValue

__all__ = ["asked_budget", "profile_for", "with_thoughts", "wanted_thoughts"]


def wanted_thoughts(
    think: bool | None, budget: int | None, variables: Mapping[str, Any]
) -> bool | None:
    """Thoughts on or off, by all that was asked for; None where that leaves it open.

    `variables` are those of the chat template. UsageError where two contradict each other.
    """
    if think and budget == 0:
        raise UsageError("--think and --thought-budget 0 contradict each other")
    if budget == 0:
        return False
    if think is not None:
        return think
    said = (variables.get(name) for name in ("enable_thinking", "thinking"))
    return next((value for value in said if isinstance(value, bool)), None)


def with_thoughts(
    profile: Profile,
    think: bool | None,
    budget: int | None,
    governor: Mapping[str, Any] | None = None,
    effort: str | None = None,
) -> Profile:
    """The profile with that; a budget below 0 is none. `governor` are single keys of it.

    ProfileError for what is out of range.
    """
    if governor:
        from qwq_gguf.profiles import with_governor_settings

        profile = profile.with_governor(with_governor_settings(profile.governor, governor))
    if effort is not None:
        profile = profile.with_effort(effort)
    if think is not None:
        profile = profile.with_thinking(think)
    if budget is not None:
        profile = profile.with_thought_budget(None if budget < 0 else budget)
    return profile


def asked_budget(budget: int | None, governor: Mapping[str, Any] | None) -> int | None:
    """The budget that was asked for, in one way or the other."""
    if not governor or "budget" not in governor:
        return budget
    if budget is not None:
        raise UsageError("the thought budget is given twice, once as a key of the governor")
    told = governor["budget"]
    return told if isinstance(told, int) and not isinstance(told, bool) else None


def profile_for(
    metadata: Mapping[str, KeyValue],
    asked: str | Path | Profile | None = None,
    *,
    think: bool | None = None,
    budget: int | None = None,
    effort: str | None = None,
    settings: Mapping[str, SettingValue] | None = None,
    variables: Mapping[str, Any] | None = None,
    governor: Mapping[str, Any] | None = None,
) -> tuple[Profile, tuple[str, ...]]:
    """The profile to run a GGUF with this metadata, and sentences about it.

    `asked` is one by name, path or value; None leaves it to the file. `settings` are single
    numbers of its chain, `governor` of its governor. ProfileError and ChainError say which of
    them makes no sense.
    """
    from qwq_gguf.profiles import Profile, resolve

    if settings and "source" in settings:  # a name of ours, and no setting
        raise UsageError("there is no sampler setting called source")
    budget = asked_budget(budget, governor)
    wanted = wanted_thoughts(think, budget, variables or {})
    if isinstance(asked, Profile):
        profile = asked.with_overrides(source="a setting", **(settings or {}))
        notes = profile.notes()
    else:
        resolved = resolve(metadata, requested=asked, overrides=settings, thinking=wanted)
        profile, notes = resolved.profile, resolved.notes
    return with_thoughts(profile, wanted, budget, governor, effort), notes
