"""JSON as models write it: nearly right.

What is strictly JSON is read by Python's own reader. Small models also write Python's
dictionaries and JavaScript's objects: single quotes, True and None, a comma after the last
item, comments, names without quotes. Those have one meaning only, so they are read too.
Whatever is read can be said again by a chat template and printed as JSON: no infinity, no
number of thousands of digits, no half characters, no nesting without end.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

__all__ = ["MAX_DIGITS", "MAX_NESTING", "read_json"]

MAX_NESTING = 32
MAX_DIGITS = 1000


class _Refused(ValueError):
    """What it says is clear, but cannot be taken."""


def read_json(text: str, start: int = 0) -> tuple[Any, int]:
    """The value that begins at `start`, and the place after it.

    ValueError, in words for the model that wrote it.
    """
    try:
        value, end = _STRICT.raw_decode(text, start)
    except RecursionError:
        raise _Refused(_TOO_DEEP) from None
    except _Refused:
        raise
    except ValueError as error:
        try:
            value, end = _Loose(text, start).value(0)
        except _Refused:
            raise
        except (ValueError, IndexError):
            raise ValueError(f"not valid JSON: {error}") from None
    _check(value)
    return value, end


def _check(value: Any) -> None:
    """Refuse what nests too deeply, and texts with half a character."""
    level = [value]
    for _ in range(MAX_NESTING + 1):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str) and _HALF.search(item):
                raise _Refused("a text in it has half of a surrogate pair")
            if isinstance(item, dict):
                inner += item.keys()
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return
        level = inner
    raise _Refused(_TOO_DEEP)


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _Refused(f"a number in it has more than {MAX_DIGITS} digits")
    return int(digits)


def _fraction(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise _Refused(f"{number[:40]} is too large a number")
    return value


def _no_number(name: str) -> float:
    raise _Refused(f"{name} is not a number in JSON")


class _Loose:
    """Reads Python's way of writing the same values. ValueError, IndexError at its end."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._at = start

    def value(self, nesting: int) -> tuple[Any, int]:
        return self._value(nesting), self._at

    def _value(self, nesting: int) -> Any:
        if nesting > MAX_NESTING:
            raise _Refused(_TOO_DEEP)
        match self._next():
            case "{":
                return dict(self._items("}", nesting, self._pair))
            case "[":
                return self._items("]", nesting, self._value)
            case '"' | "'":
                return self._string()
        word = _WORD.match(self._text, self._at)
        if word is None:
            raise ValueError
        self._at = word.end()
        if word[0] in _WORDS:
            return _WORDS[word[0]]
        if word[0].lstrip("-").lower() in ("nan", "infinity", "inf"):
            return _no_number(word[0])
        if not _NUMBER.fullmatch(word[0]):
            raise ValueError
        return _fraction(word[0]) if set(word[0]) & set(".eE") else _whole(word[0])

    def _items(self, end: str, nesting: int, read: Any) -> list[Any]:
        self._at += 1
        items = []
        while self._next() != end:
            items.append(read(nesting + 1))
            if self._next() == ",":
                self._at += 1
            elif self._next() != end:
                raise ValueError
        self._at += 1
        return items

    def _pair(self, nesting: int) -> tuple[str, Any]:
        name = _NAME.match(self._text, self._at)
        if name is None:
            key = self._string()
        else:
            key, self._at = name[0], name.end()
        if self._next() != ":":
            raise ValueError
        self._at += 1
        return key, self._value(nesting)

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise ValueError
        self._at = found.end()
        return _ESCAPE.sub(_unescape, found[0][1:-1])

    def _next(self) -> str:
        """The next character that is no white space and in no comment."""
        if (between := _BETWEEN.match(self._text, self._at)) is not None:
            self._at = between.end()
        return self._text[self._at]


def _unescape(found: re.Match[str]) -> str:
    escape = found[1]
    if escape[0] == "u":
        if len(escape) != 5:
            raise ValueError
        return chr(int(escape[1:], 16))
    if escape not in _ESCAPES:
        raise ValueError
    return _ESCAPES[escape]


_TOO_DEEP = "it is nested too deeply"
_HALF = re.compile("[\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z_]\w*+", re.ASCII)
_BETWEEN = re.compile(r"(?:\s|//[^\n]*+|#[^\n]*+|/\*[^*]*+(?:\*(?!/)[^*]*+)*\*/)*")
_WORD = re.compile(r"[-+.\w]+")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_WORDS |= {"True": True, "False": False, "None": None}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
_STRING = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{0,4}|.)", re.DOTALL)
_ESCAPES = {'"': '"', "'": "'", "\\": "\\", "/": "/"}
_ESCAPES |= {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "\n": ""}
# strict=False: a text may hold the line feed itself instead of \n.
_STRICT = json.JSONDecoder(
    strict=False, parse_constant=_no_number, parse_float=_fraction, parse_int=_whole
)
