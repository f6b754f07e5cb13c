"""GBNF, the grammars of llama.cpp, read into rules; what it could not run is refused.

The language is that of grammars/README.md there. A native grammar that recurses on its
left, also hidden behind what may be empty, fills the memory; one that begins in very many
ways does so sooner or later. No text reaches llama.cpp that was not read here first.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.gbnf_parser import CharSet, Parser, Symbol
from qwq_gguf.words import some

__all__ = ["MAX_BYTES", "CharSet", "Gbnf", "Symbol", "parse_gbnf"]

MAX_BYTES = 64 * 1024
# llama.cpp looks for left recursion by recursion.
_MAX_CHAIN = 2000
# Ways in which one rule may begin; each is a stack of its own, and all are tried.
_MAX_BEGINNINGS = 5000


@dataclass(frozen=True, slots=True)
class Gbnf:
    """Rules by number, each a tuple of alternatives; `root` is the rule to begin with.

    Repetitions are written out as rules, as llama.cpp does. `names` are those in the text,
    `empty` the rules that the empty text satisfies. In `order` each rule stands after those
    that it can begin with, of which none is itself.
    """

    rules: tuple[tuple[tuple[Symbol, ...], ...], ...]
    root: int
    names: tuple[str, ...]
    empty: frozenset[int]
    order: tuple[int, ...]


@functools.lru_cache(maxsize=16)
def parse_gbnf(text: str, root: str = "root") -> Gbnf:
    """Read a grammar. ChainError, with line and column, for what is refused."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ChainError("grammar: not a text that UTF-8 can hold") from None
    if size > MAX_BYTES:
        raise ChainError("grammar: too long", found=f"{size} bytes", expected=f"{MAX_BYTES} bytes")
    if "\0" in text:
        raise ChainError("grammar: it has a zero byte in it, where llama.cpp would end it")
    parser = Parser(text)
    parser.parse()
    if root not in parser.names:
        known = some(parser.names, 8) or "none"
        raise ChainError("grammar: it lacks the rule to begin with", found=known, expected=root)
    rules = tuple(tuple(tuple(part) for part in rule or ()) for rule in parser.rules)
    numbers = {number: name for name, number in parser.names.items()}
    owners = [numbers.get(number) or parser.owners[number] for number in range(len(rules))]
    start = parser.names[root]
    empty = frozenset(_can_end(rules, empty=True))
    order = _check_beginnings(rules, empty, owners)
    if start not in _can_end(rules):
        raise ChainError("grammar: no text ever satisfies it, for it goes on for ever", found=root)
    return Gbnf(rules, start, tuple(parser.names), empty, order)


def _can_end(rules: Sequence[Sequence[Sequence[Symbol]]], *, empty: bool = False) -> set[int]:
    """The rules that some text satisfies; with `empty`, those that the empty text does."""
    waiting: dict[int, list[tuple[int, int]]] = {}
    open_parts: dict[tuple[int, int], int] = {}
    done: set[int] = set()
    ready: list[int] = []
    for number, rule in enumerate(rules):
        for index, part in enumerate(rule):
            if empty and any(isinstance(symbol, CharSet) for symbol in part):
                continue
            needed = {symbol for symbol in part if isinstance(symbol, int)}
            open_parts[number, index] = len(needed)
            for symbol in needed:
                waiting.setdefault(symbol, []).append((number, index))
            if not needed:
                ready.append(number)
    while ready:
        number = ready.pop()
        if number in done:
            continue
        done.add(number)
        for part_key in waiting.get(number, ()):
            open_parts[part_key] -= 1
            if not open_parts[part_key]:
                ready.append(part_key[0])
    return done


def _check_beginnings(
    rules: Sequence[Sequence[Sequence[Symbol]]], empty: frozenset[int], owners: Sequence[str]
) -> tuple[int, ...]:
    """Refuse rules that can begin with themselves, and those that can begin in too many ways.

    Gives `Gbnf.order`.
    """
    first: list[list[Symbol]] = []
    for rule in rules:
        first.append([])
        for part in rule:
            for symbol in part:
                first[-1].append(symbol)
                if isinstance(symbol, CharSet) or symbol not in empty:
                    break
    ways: dict[int, int] = {}
    for number in range(len(rules)):
        _count_ways(number, first, ways, owners)
    return tuple(ways)


def _count_ways(
    number: int, first: Sequence[Sequence[Symbol]], ways: dict[int, int], owners: Sequence[str]
) -> None:
    """Depth first without recursion; `ways` gets the number of terminals a rule begins with."""
    path: list[tuple[int, int]] = [] if number in ways else [(number, 0)]
    inside = {number}
    while path:
        rule, index = path.pop()
        if index < len(first[rule]):
            path.append((rule, index + 1))
            symbol = first[rule][index]
            if isinstance(symbol, int) and symbol not in ways:
                if symbol in inside:
                    raise ChainError(
                        "grammar: a rule can begin with itself, which llama.cpp cannot run",
                        found=owners[symbol],
                        hint="begin it with something else; what * or + repeats may not be empty",
                    )
                if len(path) >= _MAX_CHAIN:
                    raise ChainError("grammar: its rules lead to each other too deeply")
                inside.add(symbol)
                path.append((symbol, 0))
            continue
        inside.discard(rule)
        ways[rule] = 1 + sum(ways[s] if isinstance(s, int) else 1 for s in first[rule])
        if ways[rule] > _MAX_BEGINNINGS:
            raise ChainError(
                "grammar: a rule can begin in too many ways",
                found=owners[rule],
                expected=f"at most {_MAX_BEGINNINGS}",
            )
