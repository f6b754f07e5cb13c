"""What a runtime has words for, and what of a profile is left over."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from qwq_gguf.exporters.exported import SettingRow, Support
from qwq_gguf.profiles import Profile
from qwq_gguf.profiles.gguf_keys import FileSampling
from qwq_gguf.sampling import (
    Dry,
    Greedy,
    LogitBias,
    Penalties,
    Temperature,
)
from qwq_gguf.sampling.chain import show
from qwq_gguf.sampling.settings import (
    DEFINITIONS,
    SETTINGS,
    SettingValue,
    setting_names_of,
)

__all__ = ["ALL_SETTINGS", "Flat", "RuntimeWords", "flatten", "spoken_order"]

# Every setting an exporter answers for, in the order of the table in docs/runtimes.md.
# A grammar's root and scope are said by its own text (`export.forbidding.spoken_grammar`).
_WITHIN = ("grammar_root", "grammar_scope")
ALL_SETTINGS = (
    "order",
    *(name for name in SETTINGS if name not in _WITHIN),
    *("stops", "context", "template", "thinking", "thought_budget"),
)

# What every number is when nobody asks for anything.
_NEUTRAL: Mapping[str, SettingValue] = {
    name: setting.off for name, setting in DEFINITIONS.items() if setting.off is not None
}
_PENALTIES = ("repeat_penalty", "frequency_penalty", "presence_penalty")
# Numbers that mean nothing while another one is at its neutral value.
_ONLY_WITH = {name: setting.only_with for name, setting in DEFINITIONS.items() if setting.only_with}


@dataclass(frozen=True, slots=True)
class Flat:
    """A chain as runtimes without stages see it.

    `order` names the stages that do something, without logit bias, grammar and the final
    one. `values` has every number there is, neutral where the chain has no such stage: left
    out, the runtime's own default would act. Windows are numbers of tokens; `tokens` is the
    context. `named` are the settings that somebody decided, None for all of them: of the
    others an export says nothing, and the runtime's own or the author's act.
    """

    order: tuple[str, ...]
    values: Mapping[str, SettingValue]
    tokens: int
    named: frozenset[str] | None = None

    def says(self, name: str) -> bool:
        """Whether somebody decided this setting, or `order`."""
        return self.named is None or name in self.named

    def number(self, name: str) -> float | int:
        """A setting that is a number."""
        value = self.values[name]
        assert isinstance(value, (int, float)), name
        return value

    @property
    def breakers(self) -> tuple[str, ...]:
        """Where DRY's sequences end."""
        value = self.values["dry_breakers"]
        assert isinstance(value, tuple)
        return tuple(text for text in value if isinstance(text, str))

    def is_neutral(self, name: str) -> bool:
        """Whether the number asks for nothing."""
        owner = _ONLY_WITH.get(name, name)
        if owner == "penalty_window":
            return all(self.values[each] == _NEUTRAL[each] for each in _PENALTIES)
        return self.values[owner] == _NEUTRAL[owner]


def flatten(profile: Profile, context: int | None = None) -> Flat:
    """The numbers of a profile; `context` is the most tokens the model knows."""
    chain = profile.chain
    tokens = profile.context if context is None else min(profile.context, context)
    values = {**_NEUTRAL, **chain.settings()}
    for name in ("penalty_window", "dry_window"):
        if isinstance(values[name], str):
            # "All of it" as a number: llama-server refuses negative windows in a request.
            values[name] = tokens
    if isinstance(chain.stages[-1], Greedy):
        values["temperature"] = 0
    order = tuple(s.name for s in chain.stages if not (s.off or s.unnamed))
    return Flat(order, values, tokens, profile.named)


def spoken_order(profile: Profile) -> tuple[str, ...]:
    """The stages' names for runtimes on llama.cpp, which have no word for what is always
    first (logit bias, grammar) or last there.

    Greedy is a temperature of 0 there, at the end: it keeps the best token of what is left.
    """
    names = [stage.name for stage in profile.chain.stages if not stage.unnamed]
    if isinstance(profile.chain.stages[-1], Greedy):
        names = [name for name in names if name != "temperature"] + ["temperature"]
    return tuple(names)


@dataclass(frozen=True, slots=True)
class RuntimeWords:
    """The settings one runtime knows.

    `names` maps our settings to its own words for them. `carried` are settings it has no
    word for but takes from the GGUF. `order` is the order it always applies, if that
    cannot be chosen. `counts` says what its penalties look at: the `last` n tokens with
    the prompt among them, the `reply` alone, or `everything`.
    """

    runtime: str
    names: Mapping[str, str]
    carried: frozenset[str] = frozenset()
    order: tuple[str, ...] | None = None
    counts: Literal["last", "reply", "everything"] = "last"

    def rows(self) -> tuple[SettingRow, ...]:
        """What the runtime can do with each setting there is."""
        return tuple(self._row(setting) for setting in ALL_SETTINGS)

    def _row(self, setting: str) -> SettingRow:
        if setting in self.names:
            return SettingRow(setting, Support.EXPRESSED, self.names[setting])
        if setting in self.carried:
            return SettingRow(setting, Support.GGUF)
        return SettingRow(setting, Support.IMPOSSIBLE)

    def unsaid(self, profile: Profile, sampling: FileSampling | None = None) -> tuple[str, ...]:
        """What of this profile the runtime's own words cannot say.

        `sampling` is what the GGUF says; what it carries for this runtime is not unsaid.
        """
        found = [*self._order(profile, sampling), *self._numbers(profile, sampling)]
        found += [*self._window(profile, sampling), *self._bias_place(profile)]
        if profile.stops and "stops" not in self.names:
            texts = ", ".join(profile.stops)
            found.append(f"the stops {texts}: {self.runtime} has no setting for them")
        if "context" not in self.names:
            found.append(f"the context of {profile.context} tokens: set it in {self.runtime}")
        budget = profile.governor.budget
        if budget is not None and "thought_budget" not in self.names:
            found.append(
                f"the thought budget of {budget} tokens: {self.runtime} is told nothing of it"
            )
        steered = profile.governor.steering()
        if steered:
            found.append(
                f"the governor's {', '.join(steered)}: {self.runtime} knows nothing like it"
            )
        return tuple(found)

    def _order(self, profile: Profile, sampling: FileSampling | None) -> list[str]:
        if "order" in self.names or len(flatten(profile).order) < 2 or not profile.says("order"):
            return []
        said = f"the order {' > '.join(profile.chain.order)}: "
        if "order" in self.carried:
            if sampling is not None and sampling.order == spoken_order(profile):
                return []
            has = "has another" if sampling is not None and sampling.order else "has none"
            sequence = shlex.quote(f"general.sampling.sequence={';'.join(spoken_order(profile))}")
            here = (
                ""
                if sampling is None
                else f", and this one {has}: `qwq-gguf set FILE --kv {sequence}` writes it"
            )
            return [
                f"{said}{self.runtime} has no parameter for it; "
                f"general.sampling.sequence in the GGUF can carry it{here}"
            ]
        if self.order is None:
            return [f"{said}{self.runtime} leaves it to what runs the model"]
        acting = self._acting(profile)
        if acting == tuple(name for name in self.order if name in acting):
            return []
        return [f"{said}{self.runtime} always goes {' > '.join(self.order)}"]

    def _acting(self, profile: Profile) -> tuple[str, ...]:
        """The stages of which the runtime hears anything."""
        flat = flatten(profile)
        return tuple(
            stage
            for stage in flat.order
            if any(n in self.names and not flat.is_neutral(n) for n in setting_names_of(stage))
        )

    def _numbers(self, profile: Profile, sampling: FileSampling | None) -> list[str]:
        flat = flatten(profile)
        found = []
        for stage in profile.chain.stages:
            names = setting_names_of(stage.name)
            if stage.off or stage.final or not names:
                continue
            missing = [
                name
                for name in names
                if name not in self.names
                and name not in ("penalty_window", *_WITHIN)
                and not flat.is_neutral(name)
                and flat.says(name)
                and not self._carries(name, flat, sampling)
            ]
            if not set(names) & {*self.names, *self.carried} and missing:
                found.append(f"{stage.name}: {self.runtime} has no such sampler")
                continue
            for name in missing:
                if _ONLY_WITH.get(name) in missing and flat.values[name] == _NEUTRAL[name]:
                    continue  # a default beside a number that is missed itself
                where = "; the GGUF can carry it" if name in self.carried else ""
                said = f"{name.replace('_', ' ')} {show(flat.values[name])}"
                found.append(f"{said}: {self.runtime} has no setting for it{where}")
        return found

    def _carries(self, name: str, flat: Flat, sampling: FileSampling | None) -> bool:
        if name not in self.carried or sampling is None:
            return False
        return sampling.values.get(name) == flat.values[name]

    def _penalises(self, profile: Profile) -> bool:
        flat = flatten(profile)
        known = {*self.names, *self.carried}
        return any(name in known and flat.values[name] != _NEUTRAL[name] for name in _PENALTIES)

    def _bias_place(self, profile: Profile) -> list[str]:
        """Whether it matters that these runtimes add a bias before they do anything else."""
        chain = profile.chain
        bias = chain.stage(LogitBias)
        if bias is None or bias.off or "logit_bias" not in self.names:
            return []
        before = chain.stages[: chain.stages.index(bias)]
        scaling = [s.name for s in before if isinstance(s, (Penalties, Temperature)) and not s.off]
        if not scaling:
            return []
        return [f"logit bias after {' and '.join(scaling)}: {self.runtime} adds it first"]

    def _window(self, profile: Profile, sampling: FileSampling | None) -> list[str]:
        too = f"{self.runtime} counts the prompt's tokens, too"
        penalties = profile.chain.stage(Penalties)
        dry = profile.chain.stage(Dry)
        found = []
        if (
            penalties is not None
            and not penalties.off
            and profile.says("penalty_window")
            and self._penalises(profile)
        ):
            window = penalties.window
            if self.counts == "last" and window == "generation":
                found.append(f"penalties over the reply alone: {too}")
            elif self.counts == "reply" and window != "generation":
                found.append(f"penalties over {_span(window)}: {self.runtime} counts the reply")
            elif self.counts == "everything" and window != "context":
                found.append(f"penalties over {_span(window)}: {self.runtime} counts everything")
            elif (
                self.counts == "last"
                and "penalty_window" not in self.names
                and not self._carries("penalty_window", flatten(profile), sampling)
            ):
                where = "; the GGUF can carry it" if "penalty_window" in self.carried else ""
                found.append(
                    f"penalties over {_span(window)}: {self.runtime} has no setting for it{where}"
                )
        if dry is not None and not dry.off and dry.window == "generation":
            found.append(f"dry over the reply alone: {too}")
        return found


def _span(window: int | str) -> str:
    return {"generation": "the reply alone", "context": "everything"}.get(
        str(window), f"the last {window} tokens"
    )
