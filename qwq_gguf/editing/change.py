"""What a file will say after a change. Pure: entries in, entries and sentences out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qwq_gguf.chat.template import ChatTemplate
from qwq_gguf.chat.template_of_file import special_texts
from qwq_gguf.conversion.overrides import apply_overrides, parse_override
from qwq_gguf.editing.yarn import stretch
from qwq_gguf.errors import ConfigError, TemplateError
from qwq_gguf.gguf_file.header_slack import is_room, without_room
from qwq_gguf.metadata import KeyValue, Scalar, ValueType, text
from qwq_gguf.preparation import check_template, with_profile, without_profile_name
from qwq_gguf.preparation.llama_cpp import MISREAD, is_misread, remedy, tell_llama_cpp
from qwq_gguf.preparation.tokens import repair_tokens
from qwq_gguf.profiles import Profile, choose_profile, edited_of
from qwq_gguf.profiles.edited_keys import edit_notes
from qwq_gguf.profiles.gguf_keys import PROFILE_KEY, SAMPLING, read_sampling

__all__ = ["Changed", "change_entries", "parse_kv"]

_TEMPLATE = "tokenizer.chat_template"
_TOKEN_ID = re.compile(r"tokenizer\.ggml\.\w+_token_id")
# Types of keys that a file may lack, so that `KEY=VALUE` is enough for them.
_KNOWN = {
    f"{SAMPLING}sequence": "str",
    f"{SAMPLING}top_k": "int",
    f"{SAMPLING}penalty_last_n": "int",
    f"{SAMPLING}mirostat": "int",
    PROFILE_KEY: "str",
    _TEMPLATE: "str",
}
_TYPES = {
    ValueType.STRING: "str",
    ValueType.BOOL: "bool",
    ValueType.FLOAT32: "float",
    ValueType.FLOAT64: "float",
}


@dataclass(frozen=True, slots=True)
class Changed:
    """`entries` without the room for changes, in the file's order. `lines` say what changes,
    `notes` what to know about it.
    """

    entries: tuple[KeyValue, ...]
    lines: tuple[str, ...]
    notes: tuple[str, ...]


def change_entries(
    metadata: Mapping[str, KeyValue],
    *,
    profile: Profile | None = None,
    kv: Sequence[str] = (),
    chat_template: str | None = None,
    yarn: float | None = None,
    repair: bool = False,
) -> Changed:
    """Apply a profile, then a chat template, YaRN by a factor, and single keys, which win.

    `repair` first puts right the special tokens, and the template, that are known to be wrong.

    ConfigError for a key that follows from the file itself or has another type, or a YaRN
    that makes no sense; TemplateError for a template that cannot be used.
    """
    entries = without_room(metadata.values())
    notes: list[str] = []
    if repair:
        entries, repairs = _repaired(entries)
        notes += repairs
    if profile is not None:
        entries, unsaid = with_profile(entries, profile)
        notes += [f"not in the file: {line}" for line in unsaid]
    if chat_template is not None:
        ChatTemplate(chat_template)
        entries = apply_overrides(entries, [text(_TEMPLATE, chat_template)])
        there = {entry.key: entry for entry in entries}
        check = check_template(chat_template, special_texts(there))
        if check.broken is not None:
            raise TemplateError(
                f"the chat template cannot be used: {check.broken}",
                hint="name a Jinja template, such as a repository's chat_template.jinja",
            )
        before_and_after = (choose_profile(keys).profile for keys in (metadata, there))
        if is_misread(chat_template, special_texts(there)):
            notes.append(f"{MISREAD}: {remedy(chat_template)}")
        notes += check.lines(reasoner=any(before_and_after))
    if yarn is not None:
        stretched = stretch({entry.key: entry for entry in entries}, yarn)
        entries = _replaced(entries, stretched.entries, stretched.removed)
        notes += stretched.notes
    before_keys = {entry.key: entry for entry in entries}
    for argument in kv:
        entry = parse_kv(argument, {entry.key: entry for entry in entries})
        if is_room(entry.key):
            raise ConfigError(f"{entry.key} is how the file keeps room, it cannot be set")
        _check_token(entry, before_keys)
        entries = apply_overrides(entries, [entry])
    by_hand = [entry.key for entry in entries if before_keys.get(entry.key) != entry]
    entries, unnamed = without_profile_name(entries, by_hand)
    if unnamed is not None:
        notes.append(
            f"the file no longer names profile {unnamed}: programs that know it would go by "
            "its numbers, and not by yours"
        )
    after = {entry.key: entry for entry in entries}
    notes += read_sampling(after).notes
    named, edited = edited_of(after)
    notes += edit_notes(named or "", edited)
    return Changed(entries, tuple(_differences(metadata, after)), tuple(notes))


def _repaired(entries: Sequence[KeyValue]) -> tuple[tuple[KeyValue, ...], list[str]]:
    """The entries as `quantize` would have written them, and what was put right."""
    said = []
    for repair in repair_tokens({entry.key: entry for entry in entries}):
        entries = _replaced(entries, repair.entries, ())
        said.append(repair.said)
    told = tell_llama_cpp({entry.key: entry for entry in entries})
    if told is not None:
        entries = _replaced(entries, told.entries, ())
        said.append(told.said)
    return tuple(entries), said


def _check_token(entry: KeyValue, metadata: Mapping[str, KeyValue]) -> None:
    """llama.cpp loads a number that is no token's, and ends replies at a comma."""
    tokens = metadata.get("tokenizer.ggml.tokens")
    if tokens is None or not _TOKEN_ID.fullmatch(entry.key):
        return
    count = len(tokens.items)
    if not isinstance(entry.value, int) or not 0 <= entry.value < count:
        raise ConfigError(
            f"{entry.key} would be no token of this file",
            found=entry.value,
            expected=f"0 to {count - 1}",
        )


def parse_kv(argument: str, present: Mapping[str, KeyValue]) -> KeyValue:
    """`KEY=VALUE` in the type that the key has, or `KEY=TYPE:VALUE` as llama.cpp's tools
    have it. ConfigError when neither the file nor the argument says which type.
    """
    key, equals, value = argument.partition("=")
    kind = value.partition(":")[0]
    if not equals or not key:
        raise ConfigError(
            "a change is KEY=VALUE",
            found=argument[:200],
            expected="for example general.sampling.temp=0.7",
        )
    there = present.get(key)
    if there is not None and there.element is not None:
        raise ConfigError(f"{key} is an array, which cannot be set here")
    if there is not None:
        known = _TYPES.get(there.type, "int")
        given = value.removeprefix(f"{known}:")
        return parse_override(f"{key}={known}:{given}")
    if ":" in value and kind in ("int", "float", "bool", "str"):
        return parse_override(argument)
    default = "float" if key.startswith(SAMPLING) else None
    known_kind = _KNOWN.get(key, default)
    if known_kind is None:
        raise ConfigError(
            f"the file has no key {key}, so its type has to be said",
            found=argument[:200],
            expected=f"{key}=TYPE:VALUE with int, float, bool or str",
        )
    return parse_override(f"{key}={known_kind}:{value}")


def _replaced(
    entries: Sequence[KeyValue], changed: Sequence[KeyValue], removed: Sequence[str]
) -> tuple[KeyValue, ...]:
    by_key = {entry.key: entry for entry in entries if entry.key not in removed}
    for entry in changed:
        by_key[entry.key] = entry
    return tuple(by_key.values())


def _differences(before: Mapping[str, KeyValue], after: Mapping[str, KeyValue]) -> list[str]:
    lines = []
    for key in dict.fromkeys((*before, *after)):
        if is_room(key):
            continue
        old, new = before.get(key), after.get(key)
        if old is new or (old is not None and new is not None and old == new):
            continue
        lines.append(f"{key}: {_shown(old)} -> {_shown(new)}")
    return lines


def _shown(entry: KeyValue | None) -> str:
    if entry is None:
        return "(none)"
    if entry.element is not None:
        return f"{len(entry.items)} elements"
    value: Scalar = entry.scalar
    if isinstance(value, float):
        return repr(value) if entry.type is ValueType.FLOAT64 else f"{value:.6g}"
    if isinstance(value, str) and (len(value) > 60 or "\n" in value):
        return f"{len(value)} characters"
    return str(value)
