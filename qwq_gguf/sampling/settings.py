"""One flat list of names for the numbers in a chain.

Profiles, command-line flags, GGUF keys and other runtimes all speak of "the top_p" and
"the presence penalty"; this is where such a name meets a stage and a field of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.constraints import Biases
from qwq_gguf.sampling.stages import STAGE_TYPES, Stage
from qwq_gguf.words import did_you_mean

__all__ = [
    "OFF_VALUES",
    "SETTINGS",
    "SettingValue",
    "setting_names_of",
    "stage_from_settings",
]

SettingValue: TypeAlias = float | int | str | tuple[str, ...] | Biases

# setting -> (stage, field), stages in llama.cpp's default order
SETTINGS: Mapping[str, tuple[str, str]] = {
    "logit_bias": ("logit_bias", "biases"),
    "grammar": ("grammar", "text"),
    "grammar_root": ("grammar", "root"),
    "grammar_scope": ("grammar", "scope"),
    "repeat_penalty": ("penalties", "repeat"),
    "frequency_penalty": ("penalties", "frequency"),
    "presence_penalty": ("penalties", "presence"),
    "penalty_window": ("penalties", "window"),
    "dry_multiplier": ("dry", "multiplier"),
    "dry_base": ("dry", "base"),
    "dry_allowed_length": ("dry", "allowed_length"),
    "dry_window": ("dry", "window"),
    "dry_breakers": ("dry", "breakers"),
    "top_n_sigma": ("top_n_sigma", "n"),
    "top_k": ("top_k", "k"),
    "typical_p": ("typ_p", "p"),
    "top_p": ("top_p", "p"),
    "min_p": ("min_p", "p"),
    "xtc_probability": ("xtc", "probability"),
    "xtc_threshold": ("xtc", "threshold"),
    "temperature": ("temperature", "t"),
    "temperature_range": ("temperature", "range"),
    "temperature_exponent": ("temperature", "exponent"),
}

# What each number is when its stage does nothing; for the stages that have no default.
OFF_VALUES: Mapping[str, SettingValue] = {
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "temperature": 1.0,
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
        return kind(**fields)  # type: ignore[arg-type]
    except TypeError:
        wanted = ", ".join(setting_names_of(stage))
        raise ChainError(f"the stage {stage} needs its number", expected=wanted) from None
