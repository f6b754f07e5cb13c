"""JSON of strangers, looked at before it is built; and ours, harmless wherever it is shown.

Eight bytes of `{"a":0},` become 240 of memory, and a list in a list in a list ends in a
RecursionError somewhere. So what a text will come to is worked out from its punctuation
alone, at the speed of a search, and absurd ones are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["named_once", "parse_json", "to_json"]

# json.dumps escapes C0; DEL, C1 and the bidirectional controls it would pass to a terminal.
_UNESCAPED = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb]"
)

MAX_BUILT = 384 << 20
"""Bytes of memory for what a text is made into, beside its strings' own characters."""
MAX_DEPTH = 64

_WINDOW = 1 << 18
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
# What CPython takes for one of each, rounded up: a list or object, an object's entry, an item.
_CONTAINER, _ENTRY, _ITEM = 240, 120, 64


def to_json(value: Mapping[str, Any], *, indent: int | None = None) -> str:
    """`value` as JSON that is readable in any script and harmless on any terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    return _UNESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def parse_json(
    content: bytes | str,
    *,
    most: int | None = None,
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """The value of a JSON text. ValueError for what is none, nested deeper than `MAX_DEPTH`
    or would take more than `most` bytes of memory (default: `MAX_BUILT`), beside the
    characters of its strings.
    """
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    _check(raw, MAX_BUILT if most is None else most)
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=object_pairs_hook)
    except RecursionError as problem:
        raise ValueError("nested too deeply") from problem


def named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object for `object_pairs_hook`. ValueError where a name stands twice: one reader takes the
    first value, another the last.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has two values of one name")
    return found


def _check(raw: bytes, most: int) -> None:
    # A string takes the room of an item whatever it holds; so many are too many by themselves.
    if raw.count(b'"') // 2 * _ITEM > most:
        raise ValueError("it holds more values than any real file")
    bare = _without_strings(raw)
    containers = bare.count(b"[") + bare.count(b"{")
    built = containers * _CONTAINER + bare.count(b":") * _ENTRY + bare.count(b",") * _ITEM
    if built > most:
        raise ValueError("it holds more values than any real file")
    if _deeper_than(bare, MAX_DEPTH):
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")


def _without_strings(raw: bytes) -> bytes:
    """Punctuation, numbers and blanks; by windows, so that the pieces take little memory."""
    raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")  # what is escaped ends no string
    bare: list[bytes] = []
    inside = 0
    for start in range(0, len(raw), _WINDOW):
        pieces = raw[start : start + _WINDOW].split(b'"')
        bare.append(b"".join(pieces[inside::2]))
        inside ^= 1 - len(pieces) % 2
    return b"".join(bare)


def _deeper_than(bare: bytes, depth: int) -> bool:
    """Whether lists and objects are nested deeper: each round takes the innermost away."""
    left = bare.translate(None, delete=_NO_BRACKETS)
    for _ in range(depth):
        if not left:
            return False
        shorter = left.replace(b"[]", b"").replace(b"{}", b"")
        if len(shorter) == len(left):  # they do not match, which json says better
            return False
        left = shorter
    return bool(left)
