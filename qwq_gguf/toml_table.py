"""What stands in a TOML file of ours, asked for by name and kind.

Profiles and recipes are read by this alone, so a mistake in either is told in one way: the file,
the key with the tables it stands in, what was found and what was expected, and for an unknown
name the nearest ones. A typo never changes anything quietly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from qwq_gguf.errors import QwqGgufError
from qwq_gguf.files.reading import read_given
from qwq_gguf.toml_text import parse_toml
from qwq_gguf.words import did_you_mean, human_bytes, one_of

__all__ = ["MAX_TEXT", "Table", "read_toml", "toml_table"]

MAX_TEXT = 2000
"""Characters of a text."""
_SHOWN = 80


class Table:
    """One table: `values`, in which `where` names keys, such as `chain.top_k.`.

    Everything it refuses is an `error` with the `path`.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        error: type[QwqGgufError],
        path: Path | None = None,
        where: str = "",
    ) -> None:
        self.values = values
        self.where = where
        self._error = error
        self._path = path

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def refuse(
        self, message: str, found: object = None, expected: object = None, hint: str | None = None
    ) -> NoReturn:
        """Raise what this table's errors are."""
        raise self._error(message, path=self._path, found=found, expected=expected, hint=hint)

    def wrong(self, key: str, what: str, expected: object = None) -> NoReturn:
        """Refuse a key's value; `what` goes on after its name."""
        value = self.values.get(key)
        found = "nothing" if value is None else repr(value)[:_SHOWN]
        self.refuse(f"{self.where}{key} {what}", found, expected)

    def unknown(self, message: str, word: str, known: Iterable[str]) -> NoReturn:
        """Refuse a word that is none of the known ones."""
        names = list(known)
        self.refuse(message, word[:_SHOWN], one_of(names), did_you_mean(word, names))

    def only(self, known: Sequence[str]) -> None:
        """Refuse any key that is not among the known ones."""
        for key in self.values:
            if key not in known:
                self.unknown(f"unknown key {self.where}{key}", key, known)

    def text(self, key: str) -> str:
        """A text that is there, is not blank and has at most MAX_TEXT characters."""
        value = self.values.get(key)
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
            self.wrong(key, f"must be a text of 1 to {MAX_TEXT} characters")
        return value

    def text_or(self, key: str, default: str) -> str:
        """The same, or what it is when the key is left out."""
        return self.text(key) if key in self.values else default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.values.get(key)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, "must be a list of texts")
        return tuple(value)

    def flag(self, key: str) -> bool | None:
        """True or false; None when it is left out."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            self.wrong(key, "must be true or false")
        return value

    def whole(self, key: str, least: int | None = None, most: int | None = None) -> int:
        """A whole number in this range."""
        value = self.values.get(key)
        span = "" if least is None or most is None else f", {least} to {most}"
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or (least is not None and value < least)
            or (most is not None and value > most)
        ):
            self.wrong(key, f"must be a whole number{span}")
        return value

    def number(self, key: str) -> float:
        """A number that is one: neither nan nor infinite."""
        value = self.values.get(key)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            self.wrong(key, "must be a number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.wrong(key, "must be a number")
        return number

    def table(self, key: str) -> Table:
        """A table in this one."""
        value = self.values.get(key)
        if not isinstance(value, Mapping):
            self.wrong(key, "must be a table")
        return self._inner(value, f"{key}.")

    def tables(self, key: str, *, numbered: bool = False) -> tuple[Table, ...]:
        """A table or a list of them, none where it is left out; an empty list is refused.

        With `numbered` they are called `key 1`, `key 2` and so on, and may be none.
        """
        value = self.values.get(key, [])
        items = [value] if isinstance(value, Mapping) and not numbered else value
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            self.wrong(
                key,
                f"must be a list of tables, [[{key}]] before each"
                if numbered
                else f"must be a table, {key} = {{ ... }}, or a list of them",
            )
        if key in self.values and not items and not numbered:
            self.wrong(key, "is empty", "leave it out to mean all")
        return tuple(
            self._inner(item, f"{key} {place}." if numbered else f"{key}.")
            for place, item in enumerate(items, 1)
        )

    def _inner(self, values: Mapping[str, Any], name: str) -> Table:
        return Table(values, self._error, self._path, self.where + name)


def toml_table(text: str, what: str, error: type[QwqGgufError], path: Path | None = None) -> Table:
    """The table of a TOML text; see `parse_toml`."""
    return Table(parse_toml(text, what, error, path), error, path)


def read_toml(path: Path, limit: int, what: str, error: type[QwqGgufError]) -> str:
    """The text of a file of at most `limit` bytes that a user named; `what` it is ("profile")."""
    try:
        raw = read_given(path, limit)
    except OSError as problem:
        raise error(
            f"the {what} cannot be read", path=path, found=problem.strerror or str(problem)
        ) from None
    if len(raw) > limit:
        raise error(f"too large for a {what}", path=path, expected=f"at most {human_bytes(limit)}")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise error(f"the {what} is not UTF-8 text", path=path) from None
