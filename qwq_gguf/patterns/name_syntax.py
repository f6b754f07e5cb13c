"""The text of a pattern for tensor names as a tree; `name_pattern` says what the language is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["At", "Cat", "Either", "Node", "PatternError", "Repeat", "Set", "parse"]

MAX_TEXT = 1000
_MAX_GROUPS = 32  # in one another
_MAX_COUNT = 1000
_COUNT = re.compile(r"\{(\d{1,9})(?:(,)(\d{1,9})?)?\}", re.ASCII)


class PatternError(ValueError):
    """A pattern is malformed, or says more than patterns for names may."""


@dataclass(frozen=True, slots=True)
class Set:
    """One character of these, or with `negated` one that is none of them."""

    characters: frozenset[str]
    negated: bool = False

    def has(self, character: str) -> bool:
        """Whether it is one of them."""
        return (character in self.characters) is not self.negated


@dataclass(frozen=True, slots=True)
class At:
    """A place between characters: `^`, `$`, `b` or `B`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Cat:
    """One part after another."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Any of several."""

    ways: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`least` times to `most` times, None for as often as one likes."""

    inner: Node
    least: int
    most: int | None


Node: TypeAlias = Set | At | Cat | Either | Repeat

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")
_KINDS = {"d": _DIGITS, "w": _LETTERS | _DIGITS | {"_"}, "s": frozenset(" \t\n\r\f\v")}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_MARKS = ("*", "+", "?", "{")
_ALL_BUT_LINES = Set(frozenset("\n\r"), negated=True)


def parse(text: str) -> Node:
    """The tree; PatternError says at which character it is wrong."""
    if len(text) > MAX_TEXT:
        raise PatternError(f"it has {len(text)} characters, and may have {MAX_TEXT}")
    reader = _Reader(text)
    tree = reader.either(0)
    if reader.at < len(text):  # only a bracket ends the reading of alternatives
        raise reader.wrong("this ) closes nothing")
    return tree


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def wrong(self, message: str) -> PatternError:
        return PatternError(f"{message}, at character {self.at + 1}")

    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    def either(self, depth: int) -> Node:
        ways = [self.sequence(depth)]
        while self.next() == "|":
            self.at += 1
            ways.append(self.sequence(depth))
        return ways[0] if len(ways) == 1 else Either(tuple(ways))

    def sequence(self, depth: int) -> Node:
        parts = []
        while self.next() not in ("", "|", ")"):
            grouped = self.next() == "("
            parts.append(self.repeated(self.atom(depth), grouped))
        return parts[0] if len(parts) == 1 else Cat(tuple(parts))

    def repeated(self, node: Node, grouped: bool) -> Node:
        mark = self.next()
        if mark not in _MARKS:
            return node
        if isinstance(node, At) and not grouped:
            raise self.wrong(f"there is nothing for {mark} to repeat")
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(mark) or self.counts()
        self.at += mark != "{"
        if self.next() == "?":  # lazy
            self.at += 1
        if self.next() in _MARKS:
            raise self.wrong(f"{self.next()} repeats what is repeated already")
        return Repeat(node, least, most)

    def counts(self) -> tuple[int, int | None]:
        found = _COUNT.match(self.text, self.at)
        if found is None:
            raise self.wrong("{ wants a count, as in {2} or {2,5}; as a character it is \\{")
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        if max(least, most or 0) > _MAX_COUNT or (most is not None and most < least):
            raise self.wrong(f"{found[0]} is no count up to {_MAX_COUNT}")
        self.at = found.end()
        return least, most

    def atom(self, depth: int) -> Node:
        character = self.next()
        if character in _MARKS:
            raise self.wrong(f"there is nothing for {character} to repeat")
        if character == "(":
            return self.group(depth)
        if character == "[":
            return self.set()
        if character == "\\":
            return self.escape()
        self.at += 1
        if character == ".":
            return _ALL_BUT_LINES
        return At(character) if character in "^$" else Set(frozenset(character))

    def group(self, depth: int) -> Node:
        if depth >= _MAX_GROUPS:
            raise self.wrong(f"groups are more than {_MAX_GROUPS} deep")
        if self.text.startswith("(?:", self.at):
            self.at += 3
        elif self.text.startswith(("(?", "(*"), self.at):
            raise self.wrong(
                f"{self.text[self.at : self.at + 3]} is not known here; what is to be left out "
                "goes into a rule before this one"
            )
        else:
            self.at += 1
        inner = self.either(depth + 1)
        if self.next() != ")":
            raise self.wrong("a ) is missing")
        self.at += 1
        return inner

    def escape(self) -> Node:
        character = self.text[self.at + 1 : self.at + 2]
        if character in ("b", "B"):
            self.at += 2
            return At(character)
        return self.escaped()

    def escaped(self) -> Set:
        character = self.text[self.at + 1 : self.at + 2]
        if character.lower() in _KINDS and character:
            found = Set(_KINDS[character.lower()], negated=character.isupper())
        elif character in _CONTROLS:
            found = Set(frozenset(_CONTROLS[character]))
        elif character and not character.isalnum():
            found = Set(frozenset(character))
        else:
            raise self.wrong(f"\\{character} is not known here")
        self.at += 2
        return found

    def set(self) -> Set:
        self.at += 1
        negated = self.next() == "^"
        self.at += negated
        found: frozenset[str] = frozenset()
        opposite: list[frozenset[str]] = []
        if self.next() == "]":
            raise self.wrong("a class holds nothing; as a character it is \\]")
        while self.next() != "]":
            if not self.next():
                raise self.wrong("a ] is missing")
            low = self.member()
            if self.next() == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
                found |= self.range(low)
            elif low.negated:
                opposite.append(low.characters)
            else:
                found |= low.characters
        self.at += 1
        if not opposite:
            return Set(found, negated)
        # All but those that every opposite leaves out and none of the others has.
        left_out = frozenset.intersection(*opposite) - found
        return Set(left_out, not negated)

    def member(self) -> Set:
        if self.next() == "\\":
            return self.escaped()
        if self.text.startswith(("[:", "[.", "[="), self.at):
            raise self.wrong(f"{self.text[self.at : self.at + 2]} is not known here")
        self.at += 1
        return Set(frozenset(self.text[self.at - 1]))

    def range(self, low: Set) -> frozenset[str]:
        self.at += 1
        high = self.member()
        if len(low.characters) != 1 or len(high.characters) != 1 or low.negated or high.negated:
            raise self.wrong("a range goes from one character to another")
        first, last = ord(*low.characters), ord(*high.characters)
        if not first <= last < 0x80:
            raise self.wrong("a range goes from one ASCII character to a later one")
        return frozenset(map(chr, range(first, last + 1)))
