"""One flat list of names for the numbers in a chain.

Profiles, command-line flags, GGUF keys and other runtimes all speak of "the top_p" and
"the presence penalty"; this is where such a name meets a stage and a field of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.definition import Setting, SettingValue, Stage, settings_of
from qwq_gguf.sampling.stages import STAGE_TYPES
from qwq_gguf.words import did_you_mean

__all__ = [
    "DEFINITIONS",
    "OFF_VALUES",
    "SETTINGS",
    "SettingValue",
    "setting_names_of",
    "stage_from_settings",
]

# setting -> (stage, field), stages in llama.cpp's default order
SETTINGS: Mapping[str, tuple[str, str]] = {
    setting.name: (kind.name, field)
    for kind in STAGE_TYPES.values()
    for field, setting in settings_of(kind).items()
}
DEFINITIONS: Mapping[str, Setting] = {
    setting.name: setting for kind in STAGE_TYPES.values() for setting in settings_of(kind).values()
}

# What each number is when its stage does nothing; for the stages that have no default.
OFF_VALUES: Mapping[str, SettingValue] = {
    name: setting.off
    for name, setting in DEFINITIONS.items()
    if setting.required and setting.off is not None
}


def setting_names_of(stage: str) -> tuple[str, ...]:
    """The settings that belong to the stage of this name."""
    return tuple(name for name, (owner, _) in SETTINGS.items() if owner == stage)


def stage_from_settings(stage: str, values: Mapping[str, SettingValue]) -> Stage:
    """Build one stage from settings; those of other stages are left aside.

    Raises ChainError when a number the stage cannot do without is missing or out of range.
    """
    kind = STAGE_TYPES.get(stage)
    if kind is None:
        raise ChainError(
            "there is no such stage",
            found=stage,
            expected=", ".join(STAGE_TYPES),
            hint=did_you_mean(stage, STAGE_TYPES),
        )
    fields = {SETTINGS[name][1]: values[name] for name in setting_names_of(stage) if name in values}
    try:
        return kind(**fields)
    except TypeError:
        wanted = ", ".join(setting_names_of(stage))
        raise ChainError(f"the stage {stage} needs its number", expected=wanted) from None
