"""What a stage of a sampler chain says of itself, once, for everybody who works with stages.

A stage is a frozen dataclass that inherits from `Stage`. Each of its fields has a `setting`:
the flat name that profiles and flags know it by, its value when it asks for nothing, and the
GGUF key that carries it. Names, defaults, neutral values, keys and the notes about stages
that do nothing are all read from there (docs/architecture.md, "Adding a stage").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, replace
from typing import ClassVar, TypeAlias, cast

from qwq_gguf.sampling.limits import Window

__all__ = ["Biases", "GgufKey", "Setting", "SettingValue", "Stage", "setting", "settings_of"]

# What a token is called (its id, or its text), and what is added to its logit.
Biases: TypeAlias = tuple[tuple[int | str, float], ...]
SettingValue: TypeAlias = float | int | str | tuple[str, ...] | Biases

_METADATA = "qwq_gguf.setting"


@dataclass(frozen=True, slots=True)
class GgufKey:
    """The key after `general.sampling.`, and what llama.cpp makes of odd values in it.

    What is below `least` or above `most` counts as that; `below` says what it does then,
    where people would expect something else.
    """

    name: str
    whole: bool = False
    least: int | None = None
    most: int | None = None
    below: str = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One number of a stage.

    `off` is its value when its stage asks for nothing; it has to be named where the field has
    no default (`required`). `only_with` names the setting without which it means nothing.
    """

    name: str
    off: SettingValue | None = None
    key: GgufKey | None = None
    only_with: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """A step that sees the logits which the step before it left. Immutable, and checked when
    it is made: ChainError.
    """

    name: ClassVar[str]
    """What llama.cpp calls it in `general.sampling.sequence` and `--samplers`."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """What llama.cpp calls it there as well."""
    letter: ClassVar[str] = ""
    """Its letter in llama.cpp's --sampler-seq; its programs do not know a stage without one."""
    final: ClassVar[bool] = False
    """Whether it picks the token."""
    unnamed: ClassVar[bool] = False
    """Whether llama.cpp has no name for it there, because it always stands first or last."""
    truncates: ClassVar[bool] = False
    """Whether it drops tokens by how probable they are."""
    keeps_best: ClassVar[bool] = False
    """Whether the best token stays, and stays the best, whatever it drops or scales."""
    why_off: ClassVar[str] = ""
    """Why it does nothing where it is off, if that is worth a note."""

    @property
    def off(self) -> bool:
        """Whether it changes nothing; a stage that picks is never off."""
        return False

    @property
    def drops(self) -> bool:
        """Whether it takes tokens out of the running by how probable they are."""
        return self.truncates and not self.off

    @property
    def sorts(self) -> bool:
        """Whether llama.cpp takes the tokens for sorted after it."""
        return self.drops

    @property
    def bans(self) -> bool:
        """Whether it forbids tokens, which no later stage may bring back."""
        return False

    @property
    def lookback(self) -> Window:
        """Which tokens it looks back on besides the logits."""
        return 0

    @property
    def leaves_one(self) -> str | None:
        """The stage as people name it, if it leaves the best token and no other."""
        return None


def setting(
    name: str,
    *,
    off: SettingValue | None = None,
    key: GgufKey | None = None,
    only_with: str | None = None,
) -> Mapping[str, Setting]:
    """The metadata of a field: `field(default=0.0, metadata=setting("min_p"))`."""
    return {_METADATA: Setting(name, off, key, only_with)}


def settings_of(kind: type[Stage]) -> dict[str, Setting]:
    """The settings of a kind of stage, by the names of its fields, each with its value that asks
    for nothing. TypeError where a field does not say what it is.
    """
    found = {}
    for each in fields(kind):
        required = each.default is MISSING
        said: Setting | None = each.metadata.get(_METADATA)
        if said is None or (required and said.off is None):
            raise TypeError(f"{kind.__name__}.{each.name} needs a setting, with its off value")
        off: SettingValue | None = said.off
        if off is None and not required:
            off = cast(SettingValue, each.default)
        found[each.name] = replace(said, off=off, required=required)
    return found
