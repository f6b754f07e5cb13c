"""A profile's sampling keys in the place of those a file has."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from qwq_gguf.metadata import KeyValue
from qwq_gguf.profiles import Profile, load_profile, profile_names, sampling_keys
from qwq_gguf.profiles.gguf_keys import PROFILE_KEY, SAMPLING, read_sampling

__all__ = [
    "AuthorsNumbers",
    "authors_numbers",
    "put_sampling",
    "with_profile",
    "without_profile_name",
]

_BEFORE = ("general.architecture", "general.type")


@dataclass(frozen=True, slots=True)
class AuthorsNumbers:
    """What a model's author says about sampling.

    `kept` are the keys that stay, `differ` names those whose numbers are not the profile's,
    and `mistakes` says which are replaced, and why that is known to be right.
    """

    kept: tuple[str, ...] = ()
    differ: str = ""
    mistakes: tuple[str, ...] = ()


def authors_numbers(
    entries: Sequence[KeyValue], profile: Profile, keep: Collection[str] = ()
) -> AuthorsNumbers:
    """The author's numbers beside a profile's; what `keep` names is the user's."""
    there = {e.key: e for e in entries if e.key.startswith(SAMPLING) and e.key not in keep}
    said = read_sampling(there)
    mistaken: set[str] = set()
    mistakes = []
    for wrong in profile.wrong:
        if wrong.match(said.values):
            mistaken |= {said.keys[name] for name in wrong.values}
            mistakes.append(wrong.said("of the source"))
    written = {e.key: e.value for e in sampling_keys(profile, context=profile.context).keys}
    kept = [key for key in there if key not in mistaken]
    differ = [key for key in kept if written.get(key) != there[key].value]
    return AuthorsNumbers(
        tuple(kept), ", ".join(key.removeprefix(SAMPLING) for key in differ), tuple(mistakes)
    )


def with_profile(
    entries: Sequence[KeyValue],
    profile: Profile,
    *,
    keep: Collection[str] = (),
    unnamed: str | None = None,
) -> tuple[tuple[KeyValue, ...], tuple[str, ...]]:
    """The entries as `profile` wants them, and sentences about what they cannot carry.

    Keys named by `keep` stay as they are. A penalty window over everything becomes the
    model's whole context. The key that names a profile is for shipped ones: nobody who gets
    the file could look another up. Nor is it for a profile of which `keep` changes a number:
    whoever goes by the name would miss it; `unnamed` says why not.
    """
    context = next(
        (
            entry.value
            for entry in entries
            if entry.key.endswith(".context_length") and isinstance(entry.value, int)
        ),
        profile.context,
    )
    # A file of one's own may bear a shipped profile's name, and other numbers.
    shipped = profile.name in profile_names() and load_profile(profile.name) == profile
    made = sampling_keys(
        profile,
        context=min(max(context, profile.context), 2**31 - 1),
        shipped=[profile.name] if shipped else [],
    )
    keys, unsaid = made.keys, made.unsaid
    if not shipped:
        why = "it is your own, and who gets the file could not look it up"
        unsaid = (*unsaid, f"the name {profile.name}: {why}")
    elif not _own_say(entries, keep) <= set(keys):
        keys = tuple(key for key in keys if key.key != PROFILE_KEY)
        unsaid = (
            *unsaid,
            f"the name {profile.name}: {unnamed or 'you changed one of its numbers'}",
        )
    return put_sampling(entries, keys, keep=keep), unsaid


def without_profile_name(
    entries: Sequence[KeyValue], changed: Collection[str]
) -> tuple[tuple[KeyValue, ...], str | None]:
    """The entries without the name of a profile of which one of the `changed` keys changed a
    number, and that name; None when it stays.
    """
    named = next((entry for entry in entries if entry.key == PROFILE_KEY), None)
    if named is None or PROFILE_KEY in changed or not any(map(_is_sampling, changed)):
        return tuple(entries), None
    return tuple(entry for entry in entries if entry is not named), str(named.value)[:60]


def _own_say(entries: Sequence[KeyValue], keep: Collection[str]) -> set[KeyValue]:
    return {
        entry
        for entry in entries
        if entry.key in keep and _is_sampling(entry.key) and entry.key != PROFILE_KEY
    }


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
