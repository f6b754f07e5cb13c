"""Sampling keys that somebody changed after the file was given its profile. Pure.

Whoever writes the name of a profile into a file writes its numbers, too. So a number that the
profile would not have written was edited by another program, which knows nothing of profiles:
it is newer than the name, and what its author wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from qwq_gguf.metadata import KeyValue
from qwq_gguf.profiles.gguf_keys import PROFILE_KEY, SAMPLING, FileSampling, sampling_keys
from qwq_gguf.profiles.gguf_keys import read_sampling as read
from qwq_gguf.profiles.load import load_profile, profile_names
from qwq_gguf.profiles.profile import Profile
from qwq_gguf.sampling.settings import SettingValue

__all__ = ["EditedKey", "edited_keys", "edited_of", "only_edited", "edit_notes"]

_ORDER = "order"


@dataclass(frozen=True, slots=True)
class EditedKey:
    """A key whose value is another than the profile's. `wrote` is what the profile would have
    written, None where it writes nothing. `setting` is its name here, or `order`.
    """

    key: str
    setting: str
    value: SettingValue
    wrote: SettingValue | None


def edited_keys(sampling: FileSampling, profile: Profile) -> tuple[EditedKey, ...]:
    """What a file that names `profile` says otherwise. A key that is missing says nothing."""
    keys = sampling_keys(profile, context=profile.context).keys
    written = read({entry.key: entry for entry in keys})
    found = []
    if sampling.order is not None and sampling.order != written.order:
        order = None if written.order is None else _joined(written.order)
        key = f"{SAMPLING}sequence"
        found.append(EditedKey(key, _ORDER, _joined(sampling.order), order))
    for setting, value in sampling.values.items():
        wrote = written.values.get(setting)
        if wrote != value and not _is_whole_window(setting, value, profile):
            found.append(EditedKey(sampling.keys[setting], setting, value, wrote))
    return tuple(found)


def edited_of(metadata: Mapping[str, KeyValue]) -> tuple[str | None, tuple[EditedKey, ...]]:
    """The known profile that a file names, or None, and what the file says otherwise."""
    sampling = read(metadata)
    if sampling.profile is None or sampling.profile not in profile_names():
        return None, ()
    return sampling.profile, edited_keys(sampling, load_profile(sampling.profile))


def only_edited(sampling: FileSampling, edited: Iterable[EditedKey]) -> FileSampling:
    """What the file says, without what its profile says, too."""
    settings = {key.setting for key in edited}
    return replace(
        sampling,
        order=sampling.order if _ORDER in settings else None,
        values={name: value for name, value in sampling.values.items() if name in settings},
        keys={name: key for name, key in sampling.keys.items() if name in settings},
    )


def edit_notes(profile: str, edited: Iterable[EditedKey]) -> tuple[str, ...]:
    """A sentence for each key."""
    return tuple(
        f"{key.key} is {_shown(key.value)} in the file and {_shown(key.wrote)} in profile "
        f"{profile}, which its {PROFILE_KEY} names: it was edited since, and counts"
        for key in edited
    )


def _is_whole_window(setting: str, value: SettingValue, profile: Profile) -> bool:
    """A window over everything is written as the model's whole context, however long that is."""
    if setting != "penalty_window" or not isinstance(value, int):
        return False
    return isinstance(profile.chain.settings().get(setting), str) and value >= profile.context


def _joined(order: Iterable[str]) -> str:
    return ";".join(order)


def _shown(value: SettingValue | None) -> str:
    if value is None:
        return "not there"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
