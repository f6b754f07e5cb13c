"""What a GGUF tells a model and a runtime, beside what its source says: the chat template, special
tokens and sampling keys. A template decides what the model is told, so here a back door would be
put; whoever makes a GGUF can change it without touching a weight. Pure.

A difference may be a repair. Those that `quantize` makes are `known`: the same value comes of
preparing the source here. Of any other somebody should be able to say why.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qwq_gguf.metadata import KeyValue, ValueType, shortest_float32
from qwq_gguf.words import count, is_plain

__all__ = ["KeyDifference", "compare_source_keys", "diff_lines"]

_TEMPLATE = re.compile(r"tokenizer\.chat_template(\.[^\n]{1,200})?")
_WATCHED = re.compile(r"tokenizer\.ggml\.(\w+_token_ids?|add_\w+)|general\.sampling\.\w+")
_TOKENS, _TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
_KINDS = {1: "normal", 2: "unknown", 3: "control", 4: "user defined", 5: "unused", 6: "a byte"}
_MOST_TOKENS = 20
_MOST_TEXT = 1 << 18
_MOST_SEGMENTS = 4_000
_MOST_LINES = 400
_LONGEST = 300
# A template is often one line; so it is cut where its statements begin, too.
_CUTS = re.compile(r"(?<=\n)|(?=\{[%{#])")
# A letter of another alphabet inside a Latin word looks like one of its own.
_LOOKALIKE = re.compile(r"(?<=[A-Za-z])[^\x00-\x7f]+|[^\x00-\x7f]+(?=[A-Za-z])")


@dataclass(frozen=True, slots=True)
class KeyDifference:
    """`here` and `there` are the values as text, None where there is none. `known`: `quantize`
    would make the same of the source.
    """

    key: str
    here: str | None
    there: str | None
    known: bool

    def to_json(self) -> dict[str, Any]:
        """The four fields."""
        return {"key": self.key, "file": self.here, "source": self.there, "known": self.known}


def compare_source_keys(
    file: Mapping[str, KeyValue],
    source: Mapping[str, KeyValue],
    prepared: Sequence[Mapping[str, KeyValue]] = (),
) -> list[KeyDifference]:
    """The keys that a GGUF says otherwise than its source; `prepared` is what `quantize` would
    say, by each profile that may have been asked for.
    """
    names = [key for key in dict.fromkeys((*file, *source)) if _is_watched(key)]
    found = []
    for key in sorted(names, key=lambda each: (not _TEMPLATE.fullmatch(each), each)):
        here, there = _value(file, key), _value(source, key)
        if here != there:
            known = any(here == _value(made, key) for made in prepared)
            found.append(KeyDifference(key, here, there, known))
    return found + _token_differences(file, source, prepared)


def diff_lines(difference: KeyDifference) -> Iterator[str]:
    """The difference as lines beginning with `-` (the source), `+` (the file) or a space, made
    harmless for a terminal: nothing in them is invisible, and no line is endless.
    """
    here, there = difference.here, difference.there
    if not _TEMPLATE.fullmatch(difference.key) or here is None or there is None:
        for sign, value in (("-", there), ("+", here)):
            if value is not None:
                for segment in _segments(value)[:_MOST_LINES]:
                    yield f"{sign} {_shown(segment)}"
        return
    ours, theirs = _segments(here), _segments(there)
    if len(here) + len(there) > _MOST_TEXT or len(ours) + len(theirs) > _MOST_SEGMENTS:
        yield f"- {len(there):,} characters"
        yield f"+ {len(here):,} characters: too long to be shown side by side"
        return
    shown = 0
    for line in difflib.unified_diff(theirs, ours, n=1, lineterm=""):
        if line.startswith(("---", "+++")) and shown == 0:
            continue
        if shown == _MOST_LINES:
            yield "  and more"
            return
        shown += 1
        yield "  ..." if line.startswith("@@") else f"{line[0]} {_shown(line[1:])}"


def _is_watched(key: str) -> bool:
    return bool(_TEMPLATE.fullmatch(key) or _WATCHED.fullmatch(key))


def _value(keys: Mapping[str, KeyValue], key: str) -> str | None:
    entry = keys.get(key)
    if entry is None:
        return None
    if entry.element is not None:
        return ", ".join(_told(keys, key, item) for item in list(entry.items)[:_MOST_TOKENS])
    value = entry.value
    if entry.type is ValueType.FLOAT32 and isinstance(value, float):
        return str(shortest_float32(value))
    return _told(keys, key, value)


def _told(keys: Mapping[str, KeyValue], key: str, value: object) -> str:
    """A token's number with its text: that is what a template and a runtime mean by it."""
    tokens = keys.get(_TOKENS)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if "token_id" not in key or tokens is None or not is_number:
        return str(value)
    assert isinstance(value, int)
    text = str(tokens.items[value]) if 0 <= value < len(tokens.items) else "no token"
    return f"{value} {text}"


def _token_differences(
    file: Mapping[str, KeyValue],
    source: Mapping[str, KeyValue],
    prepared: Sequence[Mapping[str, KeyValue]],
) -> list[KeyDifference]:
    """Tokens with another text or of another kind: a control token is never a user's text."""
    ours, theirs = _tokens(file), _tokens(source)
    made = [_tokens(each) for each in prepared]
    found = []
    for number in range(max(len(ours), len(theirs))):
        here, there = _at(ours, number), _at(theirs, number)
        if here != there:
            known = any(_at(each, number) == here for each in made)
            found.append(KeyDifference(f"token {number}", here, there, known))
    if len(found) <= _MOST_TOKENS:
        return found
    rest = count(len(found) - _MOST_TOKENS, "more token")
    known = all(each.known for each in found[_MOST_TOKENS:])
    return [*found[:_MOST_TOKENS], KeyDifference(rest, "other ones", "other ones", known)]


def _tokens(keys: Mapping[str, KeyValue]) -> list[tuple[str, int]]:
    tokens, types = keys.get(_TOKENS), keys.get(_TYPES)
    if tokens is None or tokens.element is not ValueType.STRING:
        return []
    kinds = [] if types is None or types.element is None else list(types.items)
    kinds += [1] * (len(tokens.items) - len(kinds))
    return [
        (str(text), kind if isinstance(kind, int) else 0)
        for text, kind in zip(tokens.items, kinds, strict=False)
    ]


def _at(tokens: Sequence[tuple[str, int]], number: int) -> str | None:
    if number >= len(tokens):
        return None
    text, kind = tokens[number]
    return f"{text} ({_KINDS.get(kind, f'kind {kind}')})"


def _segments(text: str) -> list[str]:
    return [part for part in _CUTS.split(text) if part]


def _shown(segment: str) -> str:
    """A part of a stranger's text, exactly, and harmless."""
    text = json.dumps(segment[:_LONGEST], ensure_ascii=False)[1:-1]
    text = _LOOKALIKE.sub(lambda found: _escaped(found.group()), text)
    text = "".join(letter if is_plain(letter) else _escaped(letter) for letter in text)
    more = len(segment) - _LONGEST
    return text if more <= 0 else f"{text}… and {more:,} more characters"


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")
