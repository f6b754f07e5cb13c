"""Regular expressions over tensor names, in time proportional to pattern and name.

Recipes and adapters come from strangers, and Python's `re` goes back and forth for ever over
`(a|a)*$` and its like. Here all ways through a pattern are followed at once (Thompson,
1968), so there is nothing to go back to. A pattern says whether it occurs in a name and
nothing more, as llama.cpp searches with std::regex; therefore greedy and lazy are the same.

The language is what the two have in common and patterns for names use: characters, `.`,
classes, `\\d \\w \\s` and their opposites (of ASCII), groups, `|`, `* + ? {2} {2,} {2,5}`
and lazy ones, `^ $ \\b \\B`. What looks ahead, behind or back is refused: the first rule or
flag that fits a name decides, so what is to be left out goes into one before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from qwq_gguf.patterns.name_syntax import (
    At,
    Cat,
    Either,
    Node,
    PatternError,
    Repeat,
    Set,
    parse,
)

__all__ = ["MAX_STEPS", "NamePattern", "PatternError"]

MAX_STEPS = 1000
"""Instructions of a program: twice the layers of any model, written out as alternatives."""
_MAX_KEPT = 20_000  # transitions
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_END = ""


class _Step(NamedTuple):
    """Take a character of a set, or be at a place (both go to the next step), or go to
    other steps. A step that does nothing of this is the match.
    """

    takes: Set | None = None
    at: str = ""
    to: tuple[int, ...] = ()


class _Known(NamedTuple):
    """What follows from where one is and a character: a match, or where one is then."""

    matched: bool
    then: frozenset[int]


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A pattern, compiled. `pattern` is its text, which is all that it is compared by.

    PatternError (a ValueError) says what is wrong with it, or that it is too large.
    """

    pattern: str
    steps: tuple[_Step, ...] = field(init=False, repr=False, compare=False)
    _known: dict[tuple[frozenset[int], bool | None, str], _Known] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", _compiled(parse(self.pattern)))

    def search(self, name: str) -> bool:
        """Whether some part of the name is of this pattern; no match object, for nobody asks."""
        ways: frozenset[int] = frozenset()
        before: bool | None = None  # whether a letter or digit is in front; None at the start
        for character in (*name, _END):
            key = (ways, before, character)
            known = self._known.get(key)
            if known is None:
                known = self._follow(*key)
                if len(self._known) >= _MAX_KEPT:
                    self._known.clear()
                self._known[key] = known
            if known.matched:
                return True
            ways, before = known.then, character in _WORD
        return False

    def _follow(self, ways: Iterable[int], before: bool | None, character: str) -> _Known:
        """All steps that can be reached without a character, then those behind this one."""
        then = set()
        waiting, seen = [0, *ways], {0, *ways}
        while waiting:
            number = waiting.pop()
            takes, at, to = self.steps[number]
            if takes is not None:
                if character != _END and takes.has(character):
                    then.add(number + 1)
                continue
            if at:
                to = (number + 1,) if _is_at(at, before, character) else ()
            elif not to:
                return _Known(True, frozenset())
            waiting += [following for following in to if following not in seen]
            seen.update(to)
        return _Known(False, frozenset(then))


def _is_at(at: str, before: bool | None, character: str) -> bool:
    if at == "^":
        return before is None
    if at == "$":
        return character == _END
    border = bool(before) != (character in _WORD)
    return border if at == "b" else not border


def _compiled(tree: Node) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    visits = 0

    def add(node: Node) -> None:
        nonlocal visits
        visits += 1  # what is empty adds no steps, however often it is repeated
        if visits > 4 * MAX_STEPS or len(steps) > MAX_STEPS:
            raise PatternError(f"it comes to more than {MAX_STEPS} steps")
        match node:
            case Set():
                steps.append(_Step(takes=node))
            case At(kind):
                steps.append(_Step(at=kind))
            case Cat(parts):
                for part in parts:
                    add(part)
            case Either(ways):
                either(ways)
            case Repeat(inner, least, most):
                repeat(inner, least, most)

    def either(ways: tuple[Node, ...]) -> None:
        ends = []
        for way in ways[:-1]:
            fork = hole()
            add(way)
            ends.append(hole())
            steps[fork] = _Step(to=(fork + 1, len(steps)))
        add(ways[-1])
        for end in ends:
            steps[end] = _Step(to=(len(steps),))

    def repeat(inner: Node, least: int, most: int | None) -> None:
        for _ in range(least):
            add(inner)
        if most is None:
            fork = hole()
            add(inner)
            steps.append(_Step(to=(fork,)))
            steps[fork] = _Step(to=(fork + 1, len(steps)))
            return
        forks = []
        for _ in range(most - least):
            forks.append(hole())
            add(inner)
        for fork in forks:
            steps[fork] = _Step(to=(fork + 1, len(steps)))

    def hole() -> int:
        steps.append(_Step())
        return len(steps) - 1

    add(tree)
    return (*steps, _Step())
