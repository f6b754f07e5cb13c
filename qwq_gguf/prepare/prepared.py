"""From a conversion that says what the checkpoint says to one that says what is meant."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from qwq_gguf.gguf_file.room import with_room
from qwq_gguf.metadata import KeyValue
from qwq_gguf.prepare.opening import open_thought
from qwq_gguf.prepare.reasoning import TEMPLATE_KEY, choose_for
from qwq_gguf.prepare.sampling import with_profile
from qwq_gguf.prepare.template import check_template
from qwq_gguf.prepare.tokens import repair_tokens, special_texts
from qwq_gguf.profiles import Profile, ThinkingTags, load_profile
from qwq_gguf.profiles.gguf_keys import PROFILE_KEY, SAMPLING

if TYPE_CHECKING:
    from qwq_gguf.convert.values import Conversion

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A conversion ready to be planned. `changes` says a line each what was changed and why,
    `notes` what to know besides.
    """

    conversion: Conversion
    changes: tuple[str, ...]
    notes: tuple[str, ...]


def prepare(
    conversion: Conversion,
    *,
    sampling: bool = True,
    repair: bool = True,
    room: bool = True,
    keep: Collection[str] = (),
    profile: Profile | None = None,
) -> Prepared:
    """Repair tokens, check the template, and let a reasoning model carry its profile.

    `profile` was asked for, and is carried by any model; None chooses one for a model that
    reasons, unless it carries somebody's choice already. `sampling` and `repair` switch
    these off; `room` reserves space in the header for later changes. Keys in `keep` are
    what the user set, and stay.
    """
    entries = list(conversion.metadata)
    changes: list[str] = []
    notes: list[str] = list(conversion.notes)
    choice = _choose(entries, profile)
    if repair:
        for fix in repair_tokens({entry.key: entry for entry in entries}, keep=keep):
            entries = _replaced(entries, fix.entries)
            changes.append(fix.said)
    if choice is not None:
        asked, (profile, why) = profile, choice
        opened = open_thought({e.key: e for e in entries}, profile.thinking) if repair else None
        if opened is not None and TEMPLATE_KEY not in keep:
            entries = _replaced(entries, opened.entries)
            changes.append(opened.said)
        notes += _template_lines(entries, profile.thinking)
        if sampling and asked is None and _carries_chain(entries, keep):
            if any(key.startswith(SAMPLING) for key in keep):  # a profile's name would hide it
                entries = [entry for entry in entries if entry.key != PROFILE_KEY]
            notes.append(
                f"general.sampling.* stays as in the source; --profile {profile.name} sets it anew"
            )
        elif sampling:
            given, unsaid = with_profile(entries, profile, keep=keep)
            entries = list(given)
            changes.append(f"general.sampling.*: those of profile {profile.name}, {why}")
            notes += [f"not in general.sampling.*: {line}" for line in unsaid]
    return Prepared(_with(conversion, entries, room=room), tuple(changes), tuple(notes))


def _carries_chain(entries: Sequence[KeyValue], keep: Collection[str]) -> bool:
    """Whether somebody chose the samplers' order: no converter writes one by itself."""
    chosen = {PROFILE_KEY, f"{SAMPLING}sequence"}.difference(keep)
    return any(entry.key in chosen for entry in entries)


def _choose(entries: Sequence[KeyValue], asked: Profile | None) -> tuple[Profile, str] | None:
    """Whose settings, and why; None for a model that does not reason."""
    if asked is not None:
        return asked, "as asked for"
    choice = choose_for({entry.key: entry for entry in entries})
    if choice is None:
        return None
    return load_profile(choice.profile), f"because {choice.reason}"


def _template_lines(entries: Sequence[KeyValue], tags: ThinkingTags) -> tuple[str, ...]:
    metadata = {entry.key: entry for entry in entries}
    template = metadata.get(TEMPLATE_KEY)
    if template is None or not isinstance(template.value, str):
        return ("there is no chat template: runtimes will guess one",)
    lines = check_template(template.value, tags, special_texts(metadata)).lines()
    if lines:
        lines = (
            *lines,
            "another chat template goes in with `qwq-gguf set FILE --chat-template JINJA`",
        )
    return lines


def _replaced(entries: Sequence[KeyValue], changed: Sequence[KeyValue]) -> list[KeyValue]:
    by_key = {entry.key: entry for entry in entries}
    for entry in changed:
        by_key[entry.key] = entry
    return list(by_key.values())


def _with(conversion: Conversion, entries: Sequence[KeyValue], *, room: bool) -> Conversion:
    """The conversion with other metadata; where the recipe's two keys go moves along."""
    if room:
        metadata = with_room(entries)
        # Behind the two slots, in front of the vocabulary.
        at = next((i for i, e in enumerate(metadata) if e.element is not None), len(metadata))
        return replace(conversion, metadata=metadata, file_type_at=at, quantization_version_at=at)
    keys = [entry.key for entry in entries]

    def moved(index: int) -> int:
        old = conversion.metadata
        return keys.index(old[index].key) if index < len(old) else index - len(old) + len(keys)

    return replace(
        conversion,
        metadata=tuple(entries),
        file_type_at=moved(conversion.file_type_at),
        quantization_version_at=moved(conversion.quantization_version_at),
    )
