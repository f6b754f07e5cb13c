"""A profile's sampling keys in the place of those a file has."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qwq_gguf.metadata import KeyValue
from qwq_gguf.profiles import Profile, profile_names, sampling_keys
from qwq_gguf.profiles.gguf_keys import PROFILE_KEY, SAMPLING

__all__ = ["put_sampling", "with_profile"]

_BEFORE = ("general.architecture", "general.type")


def with_profile(
    entries: Sequence[KeyValue], profile: Profile, *, keep: Collection[str] = ()
) -> tuple[tuple[KeyValue, ...], tuple[str, ...]]:
    """The entries as `profile` wants them, and sentences about what they cannot carry.

    Keys named by `keep` stay as they are. A penalty window over everything becomes the
    model's whole context.
    """
    context = next(
        (
            entry.value
            for entry in entries
            if entry.key.endswith(".context_length") and isinstance(entry.value, int)
        ),
        profile.context,
    )
    made = sampling_keys(
        profile, context=min(max(context, profile.context), 2**31 - 1), shipped=profile_names()
    )
    return put_sampling(entries, made.keys, keep=keep), made.unsaid


def put_sampling(
    entries: Sequence[KeyValue], keys: Sequence[KeyValue], *, keep: Collection[str] = ()
) -> tuple[KeyValue, ...]:
    """Replace every sampling key by `keys`, where llama.cpp's converter writes them.

    A number of the old order's would mean something else in the new one, so none stays
    but those that `keep` names.
    """
    stay = [entry for entry in entries if entry.key in keep or not _is_sampling(entry.key)]
    there = {entry.key for entry in stay}
    at = next(
        (index for index, entry in enumerate(entries) if _is_sampling(entry.key)),
        sum(entry.key in _BEFORE for entry in entries[:2]),
    )
    at -= sum(entry not in stay for entry in entries[:at])
    return (*stay[:at], *(key for key in keys if key.key not in there), *stay[at:])


def _is_sampling(key: str) -> bool:
    return key.startswith(SAMPLING) or key == PROFILE_KEY
