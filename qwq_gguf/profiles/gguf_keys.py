"""Sampling settings in a GGUF: what a file says, and what a profile writes into one.

llama.cpp reads `general.sampling.*` (common/common.cpp) wherever neither a flag nor a
request says otherwise. It has no keys for presence and frequency penalties, typical_p,
top_n_sigma, dry, the dynamic temperature, logit biases or grammars; so a key of our own
names the profile, for programs that know profiles.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from qwq_gguf.errors import ChainError
from qwq_gguf.metadata import KeyValue, f32, i32, shortest_float32, text
from qwq_gguf.profiles.profile import Profile
from qwq_gguf.sampling import Greedy, Penalties, Temperature
from qwq_gguf.sampling.definition import GgufKey, SettingValue, settings_of
from qwq_gguf.sampling.settings import DEFINITIONS, SETTINGS
from qwq_gguf.sampling.stages import STAGE_TYPES

__all__ = [
    "CARRIED",
    "PROFILE_KEY",
    "SAMPLING",
    "FileSampling",
    "SamplingKeys",
    "read_sampling",
    "sampling_keys",
]

SAMPLING = "general.sampling."
PROFILE_KEY = "qwq_gguf.profile"

# How files have them, one after the other; what is not named here comes after these.
_FIRST = (
    *("temp", "top_k", "top_p", "min_p", "xtc_probability", "xtc_threshold"),
    *("penalty_last_n", "penalty_repeat"),
)


def _place(number: tuple[GgufKey, str]) -> int:
    name = number[0].name
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


# Each key with its setting.
_NUMBERS = sorted(
    ((setting.key, name) for name, setting in DEFINITIONS.items() if setting.key), key=_place
)
# The settings that a file can carry.
CARRIED = frozenset(name for _, name in _NUMBERS)
# llama.cpp reads the sequence into a buffer of this size.
_MAX_SEQUENCE = 511
# llama.cpp takes every name with its underscores as dashes or left out (common/sampling.cpp).
_STAGE_NAMES = {
    spelling: name
    for name, kind in STAGE_TYPES.items()
    if not kind.unnamed
    for spelling in (name, name.replace("_", "-"), name.replace("_", ""), *kind.aliases)
}


@dataclass(frozen=True, slots=True)
class FileSampling:
    """What a GGUF says about sampling. `keys` gives each setting's key in the file.

    `order` has no final stage; None when the file gives none. `profile` is what our own
    key names. `notes` are sentences about what was left aside.
    """

    order: tuple[str, ...] | None = None
    values: Mapping[str, SettingValue] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    notes: tuple[str, ...] = ()


def read_sampling(metadata: Mapping[str, KeyValue]) -> FileSampling:
    """Read a file's sampling keys as llama.cpp does; what makes no sense is noted, not raised."""
    values: dict[str, SettingValue] = {}
    keys: dict[str, str] = {}
    notes: list[str] = []
    for number, setting in _NUMBERS:
        key = SAMPLING + number.name
        if key not in metadata:
            continue
        value = _number(metadata[key], whole=number.whole)
        if value is not None:
            value = _as_llama_cpp_means(number, value, notes)
        if value is None or not _acceptable(setting, value):
            notes.append(f"{key} in the file makes no sense and is left aside")
            continue
        values[setting] = value
        keys[setting] = key
    mirostat = metadata.get(f"{SAMPLING}mirostat")
    if mirostat is not None and _number(mirostat, whole=True):
        notes.append(f"{SAMPLING}mirostat in the file is left aside: mirostat is not supported")
    order = _order(metadata.get(f"{SAMPLING}sequence"), notes)
    named = metadata.get(PROFILE_KEY)
    profile = named.value if named is not None and isinstance(named.value, str) else None
    return FileSampling(order, values, keys, profile, tuple(notes))


def _number(entry: KeyValue, *, whole: bool) -> float | int | None:
    value = entry.value
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    if whole:
        return value if isinstance(value, int) else None
    return shortest_float32(value) if isinstance(value, float) else float(value)


def _as_llama_cpp_means(key: GgufKey, value: float | int, notes: list[str]) -> float | int:
    if key.least is not None and value < key.least:
        if key.below:
            notes.append(f"{SAMPLING}{key.name} in the file is negative: {key.below}")
        return type(value)(key.least)
    if key.most is not None and value > key.most:
        return type(value)(key.most)
    return value


def _acceptable(setting: str, value: SettingValue) -> bool:
    stage, name = SETTINGS[setting]
    try:
        STAGE_TYPES[stage](**{name: value})
    except ChainError:
        return False
    return True


def _order(entry: KeyValue | None, notes: list[str]) -> tuple[str, ...] | None:
    if entry is None:
        return None
    if not isinstance(entry.value, str):
        notes.append(f"{entry.key} in the file is not text and is left aside")
        return None
    order: list[str] = []
    for name in entry.value[:_MAX_SEQUENCE].split(";"):
        stage = _STAGE_NAMES.get(name.strip().lower())
        if not name.strip():
            continue
        if stage is None:
            notes.append(f"{entry.key} in the file names a stage that is not known: {name[:40]}")
        elif stage in order:
            notes.append(f"{entry.key} in the file names {stage} twice: the first counts")
        else:
            order.append(stage)
    return tuple(order) or None


@dataclass(frozen=True, slots=True)
class SamplingKeys:
    """Keys for a GGUF, and sentences about what they cannot carry."""

    keys: tuple[KeyValue, ...]
    unsaid: tuple[str, ...]


def sampling_keys(profile: Profile, *, context: int, shipped: Collection[str] = ()) -> SamplingKeys:
    """The keys that make llama.cpp run a model as `profile` says, as far as it can.

    A penalty window over the whole generation or context becomes `context` tokens; what
    is negative would switch penalties off. The profile's own name is written when it is
    one of `shipped`, so that everyone who reads it can look it up.
    """
    chain = profile.chain
    values = chain.settings()
    sequence = [stage.name for stage in chain.stages if not stage.unnamed]
    if isinstance(chain.stages[-1], Greedy):
        # A temperature of 0 at the end keeps the best token of what is left.
        sequence = [name for name in sequence if name != Temperature.name] + [Temperature.name]
        values["temperature"] = 0.0
    keys = [text(f"{SAMPLING}sequence", ";".join(sequence))]
    for number, setting in _NUMBERS:
        value = values.get(setting)
        if setting == "penalty_window" and isinstance(value, str):
            value = context
        if isinstance(value, (int, float)):
            key = SAMPLING + number.name
            keys.append(i32(key, int(value)) if number.whole else f32(key, float(value)))
    if profile.name in shipped:
        keys.append(text(PROFILE_KEY, profile.name))
    return SamplingKeys(tuple(keys), tuple(_unsaid(profile)))


def _unsaid(profile: Profile) -> list[str]:
    unsaid = []
    for stage in profile.chain.stages:
        if stage.off or stage.final:
            continue
        settings = settings_of(type(stage))
        if not any(setting.key for setting in settings.values()):
            its = "it" if stage.unnamed else "its number" if len(settings) == 1 else "its numbers"
            unsaid.append(f"{stage.name}: GGUF has no key for {its}")
            continue
        for at, setting in settings.items():
            value = getattr(stage, at)
            asks = setting.key is None and setting.only_with is None
            if asks and value != setting.off:
                unsaid.append(f"{setting.name.replace('_', ' ')} {value:g}: GGUF has no key for it")
        if isinstance(stage, Penalties) and stage.window == "generation":
            unsaid.append("penalties over the reply alone: llama.cpp counts the prompt too")
    return unsaid
