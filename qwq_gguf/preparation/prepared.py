"""From a conversion that says what the checkpoint says to one that says what is meant."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from qwq_gguf.chat.template import one_budget
from qwq_gguf.chat.template_of_file import TEMPLATE_KEY, special_texts, template_of
from qwq_gguf.errors import TokenizerError
from qwq_gguf.gguf_file.header_slack import with_room
from qwq_gguf.metadata import KeyValue
from qwq_gguf.preparation.llama_cpp import MISREAD, is_misread, tell_llama_cpp
from qwq_gguf.preparation.sampling import AuthorsNumbers, authors_numbers, with_profile
from qwq_gguf.preparation.template import check_template
from qwq_gguf.preparation.thought_opening import open_thought
from qwq_gguf.preparation.tokens import repair_tokens
from qwq_gguf.profiles import Profile, choose_profile, is_reasoner, load_profile
from qwq_gguf.profiles.gguf_keys import PROFILE_KEY, SAMPLING

if TYPE_CHECKING:
    from qwq_gguf.conversion.values import Conversion

__all__ = ["Prepared", "prepare"]

_EOS = "tokenizer.ggml.eos_token_id"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A conversion ready to be planned. `changes` says a line each what was changed and why,
    `notes` what to know besides.
    """

    conversion: Conversion
    changes: tuple[str, ...]
    notes: tuple[str, ...]


@one_budget()  # however often the template is asked
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
    reasons, unless it carries somebody's choice already. The numbers of the model's author
    have the last word, but those that are known to be there by mistake (`Profile.wrong`).
    `sampling` and `repair` switch these off; `room` reserves space in the header for later
    changes. Keys in `keep` are what the user set, and stay. TokenizerError for a vocabulary
    without an end that could not be repaired.
    """
    entries = list(conversion.metadata)
    changes: list[str] = []
    notes: list[str] = list(conversion.notes)
    chosen = _choose(entries, profile)
    if repair:
        for fix in repair_tokens({entry.key: entry for entry in entries}, keep=keep):
            entries = _replaced(entries, fix.entries)
            changes.append(fix.said)
    if chosen is not None:
        given, why = chosen.profile, chosen.why
        opened = open_thought({e.key: e for e in entries}, given.thinking) if repair else None
        if opened is not None and TEMPLATE_KEY not in keep:
            entries = _replaced(entries, opened.entries)
            changes.append(opened.said)
        notes += _template_lines(entries)
        if sampling and profile is None and _carries_chain(entries, keep):
            if any(key.startswith(SAMPLING) for key in keep):  # a profile's name would hide it
                entries = [entry for entry in entries if entry.key != PROFILE_KEY]
            notes.append(
                f"general.sampling.* stays as in the source; --profile {given.name} sets it anew"
            )
        elif sampling:
            own = authors_numbers(entries, given, keep) if profile is None else AuthorsNumbers()
            why_unnamed = "the author gives another of its numbers" if own.kept else None
            made, unsaid = with_profile(
                entries, given, keep={*keep, *own.kept}, unnamed=why_unnamed
            )
            entries = list(made)
            changes.append(f"general.sampling.*: those of profile {given.name}, {why}")
            if own.differ:
                changes[-1] += f"; {own.differ} as the author has it"
            changes += own.mistakes
            notes += [f"not in general.sampling.*: {line}" for line in unsaid]
    else:
        notes += _template_lines(entries, broken_only=True)
    notes += _end_lines(entries, refuse=repair)
    told = tell_llama_cpp({e.key: e for e in entries}) if repair else None
    if told is not None and TEMPLATE_KEY not in keep:
        entries = _replaced(entries, told.entries)
        changes.append(told.said)
    elif (template := template_of(there := {e.key: e for e in entries})) is not None:
        notes += [MISREAD] if is_misread(template, special_texts(there)) else []
    return Prepared(_with(conversion, entries, room=room), tuple(changes), tuple(notes))


def _carries_chain(entries: Sequence[KeyValue], keep: Collection[str]) -> bool:
    """Whether somebody chose the samplers' order: no converter writes one by itself."""
    chosen = {PROFILE_KEY, f"{SAMPLING}sequence"}.difference(keep)
    return any(entry.key in chosen for entry in entries)


class _Chosen(NamedTuple):
    """Whose settings, and why."""

    profile: Profile
    why: str


def _choose(entries: Sequence[KeyValue], asked: Profile | None) -> _Chosen | None:
    """None for a model that does not reason."""
    if asked is not None:
        return _Chosen(asked, "as asked for")
    choice = choose_profile({entry.key: entry for entry in entries})
    if choice.profile is None:
        return None
    return _Chosen(load_profile(choice.profile), f"because {choice.reason}")


def _template_lines(entries: Sequence[KeyValue], *, broken_only: bool = False) -> tuple[str, ...]:
    """With `broken_only`, nothing but that no chat at all can be made of the template."""
    metadata = {entry.key: entry for entry in entries}
    template = template_of(metadata)
    if template is None:
        return () if broken_only else ("there is no chat template: runtimes will guess one",)
    check = check_template(template, special_texts(metadata))
    if broken_only and check.broken is None:
        return ()
    lines = check.lines(reasoner=is_reasoner(metadata))
    if lines:
        lines = (
            *lines,
            "another chat template goes in with `qwq-gguf set FILE --chat-template JINJA`",
        )
    return lines


def _end_lines(entries: Sequence[KeyValue], *, refuse: bool) -> tuple[str, ...]:
    """What comes of a vocabulary without an end; TokenizerError unless it is to stay so."""
    values = {entry.key: entry.value for entry in entries if entry.element is None}
    if values.get("tokenizer.ggml.model") != "gpt2" or _EOS in values:
        return ()
    if refuse:
        raise TokenizerError(
            "no token ends a text, and none is called like one that does",
            found=f"no {_EOS}, for which llama.cpp takes token 11, a comma as a rule",
            hint=f"--kv {_EOS}=int:N names one; --no-repair leaves it so",
        )
    return (
        "the checkpoint names no token that ends a text: llama.cpp takes number 11 instead, a "
        f"comma as a rule; `qwq-gguf set FILE --kv {_EOS}=int:N` names one",
    )


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
