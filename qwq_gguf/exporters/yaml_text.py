"""Values as YAML that every reader of YAML 1.1 and 1.2 takes the same way.

Texts are always quoted, so that no `no`, `1e3` or `~` turns into something else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

__all__ = ["to_yaml"]


# What YAML 1.1 takes for a truth value or nothing.
_WORDS = ("yes", "no", "on", "off", "true", "false", "null")


def to_yaml(value: Mapping[str, object], comment: Sequence[str] = ()) -> str:
    """A YAML document of one mapping, under comment lines."""
    # A line end in a comment would begin a line that is none.
    lines = [f"# {' '.join(line.split())}".rstrip() for line in comment]
    return "\n".join([*lines, *_mapping(value, 0)]) + "\n"


def _mapping(value: Mapping[str, object], depth: int) -> list[str]:
    lines = []
    for key, entry in value.items():
        head = f"{'  ' * depth}{_key(key)}:"
        lines += _entry(head, entry, depth)
    return lines


def _entry(head: str, entry: object, depth: int) -> list[str]:
    if isinstance(entry, Mapping) and entry:
        return [head, *_mapping(entry, depth + 1)]
    if isinstance(entry, (list, tuple)) and entry:
        lines = [head]
        for item in entry:
            first, *rest = _item(item, depth + 1)
            lines += [f"{'  ' * (depth + 1)}- {first.lstrip()}", *rest]
        return lines
    return [f"{head} {_scalar(entry)}"]


def _item(item: object, depth: int) -> list[str]:
    if isinstance(item, Mapping) and item:
        return _mapping(item, depth + 1)
    return [_scalar(item)]


def _key(key: str) -> str:
    plain = re.fullmatch("[A-Za-z][A-Za-z0-9_]+", key) and key.lower() not in _WORDS
    return key if plain else _quoted(key)


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        # YAML 1.1 wants a point in every float.
        mantissa, e, exponent = repr(value).partition("e")
        return mantissa + (".0" if e and "." not in mantissa else "") + e + exponent
    if isinstance(value, (bool, int)) or value is None:
        return json.dumps(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_scalar, value))}]"
    if value == {}:
        return "{}"
    raise TypeError(f"no YAML for {type(value).__name__}")


def _quoted(text: str) -> str:
    out = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == " " else _escape(c) for c in out)


def _escape(char: str) -> str:
    code = ord(char)
    return (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )
