"""A sampler chain: stages in the order in which they see the logits.

Order is behaviour. A temperature before `top_p` sharpens what `top_p` measures; a penalty
before it pulls in tokens the model never meant; after it, the penalty chooses only among
tokens the model itself finds plausible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.needless import stage_notes
from qwq_gguf.sampling.settings import (
    SETTINGS,
    SettingValue,
    setting_names_of,
    stage_from_settings,
)
from qwq_gguf.sampling.stages import (
    Grammar,
    LogitBias,
    Stage,
)
from qwq_gguf.words import did_you_mean

__all__ = ["ChainRow", "SamplerChain", "show"]

S = TypeVar("S", bound=Stage)

# Stages that a setting brings along: where the others stand is a decision, these come first.
_BROUGHT = (LogitBias(), Grammar())
# Characters of a setting that are shown.
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class ChainRow:
    """One number of a chain, for people: `off` says its stage changes nothing as it is."""

    position: int
    stage: str
    setting: str
    value: str
    off: bool


@dataclass(frozen=True, slots=True)
class SamplerChain:
    """Stages in order, the last one picking the token.

    Raises ChainError unless exactly one final stage (`Dist`, `Greedy`) stands at the end
    and no kind of stage stands twice, and for a grammar or a logit bias after a stage that
    drops tokens.
    """

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.stages, tuple):
            raise ChainError("a chain is a tuple of stages", found=type(self.stages).__name__)
        finals = [s for s in self.stages if s.final]
        names = [s.name for s in self.stages]
        shown = " -> ".join(names) or "no stage"
        if not finals:
            raise ChainError(
                "no stage picks a token", found=shown, hint="end the chain with dist or greedy"
            )
        if len(finals) > 1:
            raise ChainError("two stages pick a token, the second never gets to", found=shown)
        if self.stages[-1] is not finals[0]:
            late = ", ".join(names[self.stages.index(finals[0]) + 1 :])
            raise ChainError(
                f"{finals[0].name} picks the token, so {late} after it would do nothing",
                found=shown,
                hint=f"put {finals[0].name} last",
            )
        twice = next((n for n in names if names.count(n) > 1), None)
        if twice is not None:
            raise ChainError(
                f"{twice} stands twice, so a flag for it would be ambiguous", found=shown
            )
        _check_places(self.stages, shown)

    @classmethod
    def from_settings(
        cls, order: Sequence[str], values: Mapping[str, SettingValue]
    ) -> SamplerChain:
        """Build a chain from stage names and flat settings (see `settings.SETTINGS`).

        Settings whose stage is not in `order` are left aside; `idle_settings` names them.
        """
        _check_names(values)
        return cls(tuple(stage_from_settings(name, values) for name in order))

    @property
    def order(self) -> tuple[str, ...]:
        """The stages' names."""
        return tuple(stage.name for stage in self.stages)

    def stage(self, kind: type[S]) -> S | None:
        """The chain's stage of this kind."""
        return next((s for s in self.stages if isinstance(s, kind)), None)

    def settings(self) -> dict[str, SettingValue]:
        """Every number in the chain by its flat name, in the chain's order."""
        return {
            name: getattr(stage, SETTINGS[name][1])
            for stage in self.stages
            for name in setting_names_of(stage.name)
        }

    def with_overrides(self, **values: SettingValue | None) -> SamplerChain:
        """The same order with single numbers replaced; None leaves a number as it is.

        A logit bias or a grammar that is not in the chain is put before all its stages, as
        llama.cpp does. Raises ChainError for any other number whose stage is not in the
        chain: it would silently do nothing.
        """
        given = {name: value for name, value in values.items() if value is not None}
        _check_names(given)
        owners = {SETTINGS[name][0] for name in given}
        brought = [s for s in _BROUGHT if s.name in owners and s.name not in self.order]
        order = (*(stage.name for stage in brought), *self.order)
        for name in given:
            if SETTINGS[name][0] not in order:
                raise ChainError(
                    f"{name} would do nothing: this chain has no {SETTINGS[name][0]} stage",
                    found=" -> ".join(self.order),
                    hint="choose a profile whose order has it, or leave the flag out",
                )
        stages: list[Stage] = []
        for stage in (*brought, *self.stages):
            fields = {
                SETTINGS[name][1]: value
                for name, value in given.items()
                if SETTINGS[name][0] == stage.name
            }
            stages.append(replace(stage, **fields) if fields else stage)
        return SamplerChain(tuple(stages))

    def describe(self) -> tuple[ChainRow, ...]:
        """A row a number, in order; a stage without numbers has one row."""
        rows = []
        for position, stage in enumerate(self.stages, start=1):
            for name in setting_names_of(stage.name) or ("",):
                value = show(getattr(stage, SETTINGS[name][1])) if name else ""
                rows.append(ChainRow(position, stage.name, name, value, stage.off))
        return tuple(rows)

    def notes(self) -> tuple[str, ...]:
        """What silently does nothing, or not what it seems to, in this chain."""
        return stage_notes(self.stages)

    def idle_settings(self, values: Mapping[str, SettingValue]) -> tuple[str, ...]:
        """Those of `values` that do nothing because their stage is not in the order.

        A stage all of whose given numbers are at their off values is not reported.
        """
        idle = []
        for name in values:
            owner = SETTINGS[name][0]
            if owner not in self.order and not stage_from_settings(owner, values).off:
                idle.append(name)
        return tuple(idle)


def show(value: SettingValue) -> str:
    """A setting as people write it: 40, 0.95, generation. A grammar is cut to one line."""
    if isinstance(value, tuple):
        return " ".join(_show_part(part) for part in value)
    if isinstance(value, float):
        return f"{value:g}"
    line = " ".join(str(value).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 4].rstrip()} ..."


def _show_part(part: str | tuple[int | str, float]) -> str:
    return repr(part) if isinstance(part, str) else f"{part[0]!r}={part[1]:g}"


def _check_places(stages: Sequence[Stage], shown: str) -> None:
    """Refuse a grammar or a logit bias that comes too late.

    Of what a truncation leaves, a grammar may forbid everything. And llama.cpp's logit bias
    does not tell the stages after it that tokens which they take for sorted no longer are.
    """
    dropping: Stage | None = None
    sorting: Stage | None = None
    for stage in stages:
        if isinstance(stage, Grammar) and not stage.off and dropping is not None:
            reason = f"{dropping.name} before it may have dropped every token that it allows"
            raise _too_late(stage, dropping, reason, shown)
        if isinstance(stage, LogitBias) and not stage.off and sorting is not None:
            reason = f"{sorting.name} before it has sorted the tokens, and nothing sorts them again"
            raise _too_late(stage, sorting, reason, shown)
        if dropping is None and stage.drops:
            dropping = stage
        if sorting is None and stage.sorts:
            sorting = stage


def _too_late(stage: Stage, before: Stage, reason: str, shown: str) -> ChainError:
    hint = f"put {stage.name} before {before.name}"
    return ChainError(f"{stage.name} stands too late: {reason}", found=shown, hint=hint)


def _check_names(values: Mapping[str, object]) -> None:
    for name in values:
        if name not in SETTINGS:
            raise ChainError(
                "there is no such sampler setting",
                found=name,
                hint=did_you_mean(name, SETTINGS) or f"one of: {', '.join(SETTINGS)}",
            )
