"""The methods of texts, lists and dicts that a template may call.

These stand in for Python's own, so that none of those is ever in a template's reach:
each is bounded before it acts, and the texts among them keep their marks.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from qwq_gguf.chat.sandbox import marked
from qwq_gguf.chat.sandbox.meter import LimitExceeded, meter
from qwq_gguf.chat.sandbox.operators import MAX_FORMAT_WIDTH, text_of

__all__ = ["DICT_METHODS", "LIST_METHODS", "STRING_METHODS", "Function", "replace_text"]


class Function:
    """Something of ours that a template may call."""

    __slots__ = ("_bound", "_run", "name")

    def __init__(self, name: str, run: Callable[..., Any], *bound: Any) -> None:
        self.name = name
        self._run = run
        self._bound = bound

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(*self._bound, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self.name}>"


def replace_text(text: str, old: str, new: str, count: int = -1) -> str:
    """`text.replace(old, new, count)`."""
    found = str.count(text, old)
    if count >= 0:
        found = min(found, count)
    meter().afford_items(found)
    meter().afford(len(text) + found * len(new))
    return marked.replace(text, old, new, count)


def _split(text: str, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    _afford_split(text, sep)
    return marked.split(text, sep, maxsplit)


def _rsplit(text: str, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    _afford_split(text, sep)
    return marked.split(text, sep, maxsplit, right=True)


def _afford_split(text: str, sep: str | None) -> None:
    meter().afford(len(text))
    parts = len(text) // 2 if sep is None else str.count(text, sep)
    # Words are counted exactly only where their most possible number is too high.
    if sep is None and parts > meter().limits.items:
        parts = sum(1 for _ in re.finditer(r"\S+", text))
    meter().afford_items(parts + 1)


def _splitlines(text: str, keepends: bool = False) -> list[str]:
    meter().afford(2 * len(text))
    meter().afford_items(len(str.splitlines(text)))
    return marked.split_lines(text, keepends)


def _join(separator: str, values: Iterable[Any]) -> str:
    parts = meter().drawn(values)
    if not all(isinstance(part, str) for part in parts):
        raise TypeError("join: every item must be a text")
    meter().afford(sum(map(len, parts)) + len(separator) * len(parts))
    return marked.join(separator, parts)


def _strip(text: str, chars: str | None = None) -> str:
    return marked.strip(text, chars)


def _lstrip(text: str, chars: str | None = None) -> str:
    return marked.strip(text, chars, right=False)


def _rstrip(text: str, chars: str | None = None) -> str:
    return marked.strip(text, chars, left=False)


def _partition(text: str, separator: str) -> tuple[str, str, str]:
    return marked.partition(text, separator)


def _rpartition(text: str, separator: str) -> tuple[str, str, str]:
    return marked.partition(text, separator, right=True)


def _removeprefix(text: str, prefix: str) -> str:
    return marked.cut(text, slice(len(prefix), None)) if str.startswith(text, prefix) else text


def _removesuffix(text: str, suffix: str) -> str:
    if not suffix or not str.endswith(text, suffix):
        return text
    return marked.cut(text, slice(0, len(text) - len(suffix)))


def _pad(pad: Callable[..., str]) -> Callable[..., str]:
    def padded(text: str, width: int, *fill: str) -> str:
        if width > MAX_FORMAT_WIDTH:
            raise LimitExceeded(f"it pads a text to more than {MAX_FORMAT_WIDTH} characters")
        return pad(text, width, *fill)

    return padded


def _case(change: Callable[[str], str]) -> Callable[[str], str]:
    def changed(text: str) -> str:
        meter().afford(len(text))
        return marked.change_case(text, change)

    return changed


class _Formatter(string.Formatter):
    """`str.format` with plain fields and short specifications only."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        meter().step()
        if not re.fullmatch(r"\w*", field_name):
            raise LimitExceeded(f"it formats with a field that is no simple name: {field_name}")
        key = int(field_name) if field_name.isdecimal() else field_name
        return self.get_value(key, args, kwargs), key

    def format_field(self, value: Any, format_spec: str) -> Any:
        numbers = re.findall(r"\d+", format_spec)
        if any(len(n) > 4 or int(n) > MAX_FORMAT_WIDTH for n in numbers):
            raise LimitExceeded(f"it formats wider than {MAX_FORMAT_WIDTH} characters")
        if not isinstance(value, (int, float)):
            value = text_of(value)
        meter().afford(len(value) if isinstance(value, str) else MAX_FORMAT_WIDTH)
        return super().format_field(value, format_spec)

    def convert_field(self, value: Any, conversion: Any) -> Any:
        if conversion not in (None, "s"):
            raise LimitExceeded("it formats with a conversion other than !s")
        return value


def _format(text: str, *args: Any, **kwargs: Any) -> str:
    return _Formatter().vformat(text, args, kwargs)


def _plain(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that looks at a text and makes nothing large."""
    return lambda text, *args: method(text, *args)


STRING_METHODS: Mapping[str, Callable[..., Any]] = {
    "split": _split,
    "rsplit": _rsplit,
    "splitlines": _splitlines,
    "join": _join,
    "replace": replace_text,
    "strip": _strip,
    "lstrip": _lstrip,
    "rstrip": _rstrip,
    "partition": _partition,
    "rpartition": _rpartition,
    "removeprefix": _removeprefix,
    "removesuffix": _removesuffix,
    "center": _pad(str.center),
    "ljust": _pad(str.ljust),
    "rjust": _pad(str.rjust),
    "zfill": _pad(str.zfill),
    "format": _format,
    **{
        name: _case(getattr(str, name))
        for name in ("upper", "lower", "title", "capitalize", "swapcase", "casefold")
    },
    **{
        name: _plain(getattr(str, name))
        for name in (
            *("startswith", "endswith", "find", "rfind", "index", "rindex", "count"),
            *("isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "islower"),
            *("isnumeric", "isspace", "istitle", "isupper"),
        )
    },
}

LIST_METHODS: Mapping[str, Callable[..., Any]] = {
    "index": lambda value, *args: value.index(*args),
    "count": lambda value, item: value.count(item),
}

DICT_METHODS: Mapping[str, Callable[..., Any]] = {
    "items": lambda value: list(value.items()),
    "keys": lambda value: list(value.keys()),
    "values": lambda value: list(value.values()),
    "get": lambda value, key, default=None: value.get(key, default),
    "copy": lambda value: dict(value),
}
