"""The text of a GBNF grammar, parsed as src/llama-grammar.cpp of llama.cpp parses it.

That parser aborts, recurses or fills the memory over some texts, so whatever it would stumble
over is refused here: `{3,1}`, deep nesting, repetitions that expand without measure. Token
references (`<think>`, `<[1000]>`) are refused because its sampler's two halves, what it
allows and what it accepts, disagree on them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from qwq_gguf.errors import ChainError

__all__ = ["CharSet", "Parser", "Symbol"]

# llama.cpp's MAX_REPETITION_THRESHOLD.
_MAX_REPEATED = 2000
_MAX_NESTING = 64
_MAX_RULES = 20_000
# Elements of all rules, after repetitions are written out: what llama.cpp holds 8 bytes for.
_MAX_ELEMENTS = 500_000
_MAX_CODE_POINT = 0x10FFFF

_NAME = re.compile(r"[A-Za-z0-9-]+")
_BLANK = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_REPEAT = re.compile(r"\{[ \t]*(\d{1,9})[ \t]*(?:(,)[ \t]*(\d{1,9})?[ \t]*)?\}")
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", **{c: c for c in '\\"[]-'}}
_HEX = {"x": 2, "u": 4, "U": 8}


@dataclass(frozen=True, slots=True)
class CharSet:
    """Code points in inclusive `ranges`, or with `negated` all others."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool = False

    def has(self, point: int) -> bool:
        """Whether this code point belongs to it."""
        return any(low <= point <= high for low, high in self.ranges) is not self.negated

    def may_have(self, low: int, high: int) -> bool:
        """What llama.cpp says of a character of which only the first bytes are known.

        A negated set that lacks any code point from `low` to `high` is said to lack all.
        """
        return any(a <= high and low <= b for a, b in self.ranges) is not self.negated


# A rule is meant by its number.
Symbol: TypeAlias = CharSet | int


class Parser:
    """Rules by number, in the order in which llama.cpp numbers them, as its limits count them.

    `rules` is filled by `parse`, `names` has the numbers of the rules in the text, `owners` the
    name of the rule in which each other was found. ChainError, with line and column.
    """

    def __init__(self, text: str) -> None:
        self.names: dict[str, int] = {}
        self.rules: list[list[list[Symbol]] | None] = []
        self.owners: dict[int, str] = {}
        self._text = text
        self._at = 0
        self._rule = ""
        self._uses: dict[str, int] = {}
        self._elements = 0

    def parse(self) -> None:
        self._skip(lines=True)
        while self._at < len(self._text):
            self._parse_rule()
        for name, at in self._uses.items():
            if self.rules[self.names[name]] is None:
                self._at = at
                self._refuse(f"the rule {name[:40]} is used, but nowhere defined")

    def _parse_rule(self) -> None:
        name = self._name("the name of a rule")
        if name in self.names and self.rules[self.names[name]] is not None:
            self._refuse(f"the rule {name[:40]} is defined twice")
        number = self._number(name)
        self._rule = name
        self._skip()
        if not self._text.startswith("::=", self._at):
            self._refuse("after a rule's name comes ::=")
        self._at += 3
        self._skip(lines=True)
        self.rules[number] = self._alternatives(0)
        if self._peek() not in ("", "\r", "\n"):
            stray = self._peek() == ")"
            self._refuse("this ) closes nothing" if stray else "a rule ends with its line")
        self._skip(lines=True)

    def _alternatives(self, depth: int) -> list[list[Symbol]]:
        found = [self._sequence(depth)]
        while self._peek() == "|":
            self._at += 1
            self._skip(lines=True)
            found.append(self._sequence(depth))
        return found

    def _sequence(self, depth: int) -> list[Symbol]:
        symbols: list[Symbol] = []
        start = 0  # where the last item began, the one that a `*` repeats
        copies = 1  # rules that repeating it once more would make, as llama.cpp reckons
        while True:
            letter = self._peek()
            before = len(self.rules)
            if letter in ("*", "+", "?", "{") and letter:
                copies *= self._repeat(symbols, start, copies)
            elif letter == '"':
                start, copies = len(symbols), 1
                symbols += self._literal()
            elif letter == "[":
                start, copies = len(symbols), 1
                symbols.append(self._set())
            elif letter == ".":
                start, copies = len(symbols), 1
                self._at += 1
                symbols.append(self._counted(CharSet(((0, 0xFFFFFFFF),))))
            elif letter == "(":
                start = len(symbols)
                symbols.append(self._group(depth))
                copies = len(self.rules) - before
            elif _NAME.match(letter):
                start, copies = len(symbols), 1
                at = self._at
                name = self._name("")
                self._uses.setdefault(name, at)
                symbols.append(self._counted(self._number(name)))
            elif letter in ("<", "!") and letter:
                self._refuse("tokens cannot be named in a grammar: write their text in quotes")
            else:
                return symbols
            self._skip(lines=depth > 0)

    def _group(self, depth: int) -> int:
        if depth >= _MAX_NESTING:
            self._refuse(f"more than {_MAX_NESTING} parentheses within each other")
        opened = self._at
        self._at += 1
        self._skip(lines=True)
        number = self._number(None)
        self.rules[number] = self._alternatives(depth + 1)
        if self._peek() != ")":
            if self._peek() == "":
                self._at = opened
            self._refuse("( has no )" if self._at == opened else "here ) is expected")
        self._at += 1
        self._spend(1)
        return number

    def _repeat(self, symbols: list[Symbol], start: int, copies: int) -> int:
        """Write a repetition out as llama.cpp does; gives how often, at most."""
        least, most = self._times()
        item = symbols[start:]
        if not item:
            self._refuse("there is nothing before this to repeat")
        times = (least if most is None else most) or 1
        if times > _MAX_REPEATED or copies * times > _MAX_REPEATED:
            self._refuse(f"more than {_MAX_REPEATED} repetitions, within each other counted")
        weight = sum(_weight(symbol) for symbol in item)
        optional = 1 if most is None else most - least
        self._spend(weight * (max(least - 1, 0) + optional) + 2 * optional)
        symbols[start:] = item * least
        rest: int | None = None
        for _ in range(optional):
            number = self._number(None)
            after = number if most is None else rest
            self.rules[number] = [[*item, *([] if after is None else [after])], []]
            rest = number
        if rest is not None:
            symbols.append(rest)
        return times

    def _times(self) -> tuple[int, int | None]:
        known = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        letter = self._peek()
        if letter in known:
            self._at += 1
            return known[letter]
        found = _REPEAT.match(self._text, self._at)
        if found is None:
            self._refuse("a repetition is {3}, {3,} or {3,5}, of at most nine digits")
        least = int(found[1])
        most = least if not found[2] else int(found[3]) if found[3] else None
        if most is not None and most < least:
            self._refuse("a repetition cannot end before it begins")
        self._at = found.end()
        return least, most

    def _literal(self) -> list[Symbol]:
        opened = self._at
        self._at += 1
        points: list[Symbol] = []
        while self._peek() != '"':
            point = self._character(opened, "this text has no closing quote")
            points.append(self._counted(CharSet(((point, point),))))
        self._at += 1
        return points

    def _set(self) -> CharSet:
        opened = self._at
        self._at += 1
        negated = self._peek() == "^"
        self._at += negated
        ranges: list[tuple[int, int]] = []
        unclosed = "this set of characters has no closing ]"
        while self._peek() != "]":
            low = high = self._character(opened, unclosed)
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                high = self._character(opened, unclosed)
                if high < low:
                    self._refuse("this range of characters is upside down")
            ranges.append((low, high))
        if not ranges:
            self._refuse("a set of characters cannot be empty; any character is .")
        self._at += 1
        found = CharSet(tuple(ranges), negated)
        self._spend(_weight(found))
        return found

    def _character(self, opened: int, unclosed: str) -> int:
        letter = self._peek()
        if letter == "":
            self._at = opened
            self._refuse(unclosed)
        self._at += 1
        if letter != "\\":
            return ord(letter)
        kind = self._peek()
        if kind in _ESCAPES and kind:
            self._at += 1
            return ord(_ESCAPES[kind])
        digits = self._text[self._at + 1 : self._at + 1 + _HEX.get(kind, 0)]
        if kind not in _HEX or not re.fullmatch(f"[0-9a-fA-F]{{{_HEX[kind]}}}", digits):
            self._refuse(
                'an escape is one of \\n \\r \\t \\\\ \\" \\[ \\] \\- \\x41 \\u0041 \\U00000041'
            )
        point = int(digits, 16)
        if point > _MAX_CODE_POINT:
            self._refuse("there is no such character")
        self._at += 1 + _HEX[kind]
        return point

    def _name(self, wanted: str) -> str:
        found = _NAME.match(self._text, self._at)
        if found is None:
            self._refuse(f"{wanted} is expected here")
        self._at = found.end()
        return found[0]

    def _number(self, name: str | None) -> int:
        """The rule of this name, or a new one without."""
        if name is not None and name in self.names:
            return self.names[name]
        number = len(self.rules)
        if number >= _MAX_RULES:
            self._refuse(f"more than {_MAX_RULES} rules, repetitions written out")
        self.rules.append(None)
        if name is None:
            self.owners[number] = self._rule
        else:
            self.names[name] = number
        return number

    def _counted(self, symbol: Symbol) -> Symbol:
        self._spend(_weight(symbol))
        return symbol

    def _spend(self, elements: int) -> None:
        self._elements += elements
        if self._elements > _MAX_ELEMENTS:
            self._refuse("too large once its repetitions are written out")

    def _skip(self, *, lines: bool = False) -> None:
        blank = (_BLANK_LINES if lines else _BLANK).match(self._text, self._at)
        assert blank is not None
        self._at = blank.end()

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _refuse(self, reason: str) -> NoReturn:
        before = self._text[: self._at]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        rest = self._text[self._at : self._at + 24].split("\n")[0]
        raise ChainError(f"grammar: {reason}", found=f"line {line}, column {column}: {rest!r}")


def _weight(symbol: Symbol) -> int:
    return 1 if isinstance(symbol, int) else 2 * len(symbol.ranges)
