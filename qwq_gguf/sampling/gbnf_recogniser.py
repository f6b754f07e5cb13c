"""Which texts a GBNF grammar allows, character by character.

llama.cpp's grammar sampler keeps all the ways in which a text so far can be read, each as
a stack of what is still to come. This does the same in plain Python: it says what the
native sampler must allow, and follows it while it generates, because a grammar with very
many readings would fill the memory there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from qwq_gguf.errors import ChainError
from qwq_gguf.sampling.gbnf import CharSet, Gbnf

__all__ = ["Reading", "Recogniser"]

# Places in the grammar, the one to be read next at the end.
Stack: TypeAlias = tuple[int, ...]

_MAX_STACKS = 5000
_MAX_DEPTH = 2000
# Places in all stacks that are made for one token, and for a whole vocabulary: seconds.
_MAX_WORK = 3_000_000
_MAX_WORK_OF_MANY = 10_000_000
_FEW = 32
_MOST_KNOWN = 4096
_MOST_KEPT = 1_000_000  # places in the stacks of what is remembered: 8 MB
# Bytes of a UTF-8 character by the high half of its first one; 0 where none begins.
_LENGTHS = (1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Reading:
    """All that may follow a text: `stacks`, and the beginning of a character.

    `value` holds the bits of that beginning, `missing` the number of bytes it lacks.
    """

    stacks: frozenset[Stack]
    value: int = 0
    missing: int = 0

    @property
    def complete(self) -> bool:
        """Whether the text may end here."""
        return () in self.stacks


class Recogniser:
    """Reads texts by one grammar; holds no state of any of them but what saves reading again."""

    def __init__(self, grammar: Gbnf) -> None:
        # All alternatives behind one another, None at the end of each.
        self._places: list[CharSet | int | None] = []
        self._starts: list[list[int]] = []
        for rule in grammar.rules:
            self._starts.append([])
            for part in rule:
                self._starts[-1].append(len(self._places))
                self._places += [*part, None]
        self._root = grammar.root
        self._known: dict[tuple[frozenset[Stack], int], frozenset[Stack]] = {}
        self._kept = 0
        self._work_left = 0

    def begin(self) -> Reading:
        """Before any text. ChainError, here and in all others, for too many ways to read on."""
        self._work_left = _MAX_WORK
        found: set[Stack] = set()
        for start in self._starts[self._root]:
            self._expand(() if self._places[start] is None else (start,), found)
        return Reading(frozenset(found))

    def read(self, reading: Reading, piece: bytes) -> Reading | None:
        """What may follow after this token as well; None where it may not stand."""
        self._work_left = _MAX_WORK
        after = self._follow(reading, piece)
        return after if after is not None and self._may_go_on(after) else None

    def _follow(self, reading: Reading, piece: bytes) -> Reading | None:
        """As `read`, but a character that has begun need not be one that may stand there."""
        decoded = _decode(piece, reading.value, reading.missing)
        if decoded is None or not piece or piece[0] == 0:
            return None
        points, value, missing = decoded
        # Inside a character no text ends.
        stacks = reading.stacks - {()}
        for point in points:
            stacks = self._step(stacks, point)
        # Of a whole character nothing is kept: readings that have become the same are equal.
        return Reading(stacks, value if missing else 0, missing) if stacks else None

    def _may_go_on(self, reading: Reading) -> bool:
        value, missing = reading.value, reading.missing
        return not missing or any(self._fits(stack, value, missing) for stack in reading.stacks)

    def allowed(self, reading: Reading, pieces: Sequence[bytes], ends: Iterable[int]) -> set[int]:
        """The tokens that may come next. `ends` are those that end a text."""
        ends = set(ends)
        found = {
            token
            for token, piece in enumerate(pieces)
            if token not in ends and self.read(reading, piece) is not None
        }
        return found | ends if reading.complete else found

    def allowed_of(self, reading: Reading, pieces: Iterable[tuple[bytes, int]]) -> set[int]:
        """Those of these tokens that may come next; their bytes must be in order.

        Each beginning that several of them share is read once. Of bytes that are no UTF-8
        within a token nothing is allowed.
        """
        self._work_left = _MAX_WORK_OF_MANY
        found: set[int] = set()
        path, last, dead = [reading], b"", False  # after each byte of the last piece
        for piece, token in pieces:
            shared = _shared(last, piece)
            if dead and shared >= len(path):
                continue  # it has the byte at which the last one was refused
            del path[shared + 1 :]
            last, dead = piece, False
            for at in range(shared, len(piece)):
                after = self._follow(path[-1], piece[at : at + 1])
                if after is None:
                    dead = True
                    break
                path.append(after)
            if piece and not dead and self._may_go_on(path[-1]):
                found.add(token)
        return found

    def _step(self, stacks: frozenset[Stack], point: int) -> frozenset[Stack]:
        """What may follow after one more character; few readings are remembered."""
        if len(stacks) > _FEW:
            return self._read_point(stacks, point)
        after = self._known.get((stacks, point))
        if after is None:
            after = self._read_point(stacks, point)
            size = sum(map(len, after)) + sum(map(len, stacks))
            if len(self._known) >= _MOST_KNOWN or self._kept + size > _MOST_KEPT:
                self._known.clear()
                self._kept = 0
            self._known[stacks, point] = after
            self._kept += size
        return after

    def _read_point(self, stacks: frozenset[Stack], point: int) -> frozenset[Stack]:
        found: set[Stack] = set()
        for stack in stacks:
            if not stack or not point:
                continue
            allowed = self._set(stack[-1])
            self._work_left -= len(allowed.ranges)
            if allowed.has(point):
                after = stack[-1] + 1
                rest = stack[:-1]
                self._expand(rest if self._places[after] is None else (*rest, after), found)
        if self._work_left < 0:
            raise _too_many()
        return frozenset(found)

    def _expand(self, stack: Stack, found: set[Stack]) -> None:
        """Add the stacks that begin with a character, or are empty, to which this one leads."""
        todo = [stack]
        seen = {stack}
        while todo:
            stack = todo.pop()
            self._work_left -= len(stack) + 8
            place = self._places[stack[-1]] if stack else None
            if not isinstance(place, int):
                found.add(stack)
            else:
                after = stack[-1] + 1
                rest = stack[:-1] if self._places[after] is None else (*stack[:-1], after)
                for start in self._starts[place]:
                    longer = rest if self._places[start] is None else (*rest, start)
                    if longer not in seen:
                        seen.add(longer)
                        todo.append(longer)
            if (
                len(found) > _MAX_STACKS
                or len(seen) > 4 * _MAX_STACKS
                or len(stack) > _MAX_DEPTH
                or self._work_left < 0
            ):
                raise _too_many()

    def _set(self, place: int) -> CharSet:
        found = self._places[place]
        assert isinstance(found, CharSet)
        return found

    def _fits(self, stack: Stack, value: int, missing: int) -> bool:
        if not stack or (missing == 1 and value < 2):  # the latter: no shortest form
            return False
        low = value << (missing * 6)
        high = low | ((1 << (missing * 6)) - 1)
        if low == 0:
            low = {2: 1 << 11, 3: 1 << 16}.get(missing, 0)
        return self._set(stack[-1]).may_have(low, high)


def _too_many() -> ChainError:
    return ChainError(
        "the grammar can be read in too many ways here, or nests too deeply",
        expected=f"at most {_MAX_STACKS} ways, {_MAX_DEPTH} deep",
        hint="make it say each thing in one way only",
    )


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes two pieces have in common at their beginning."""
    return next(
        (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def _decode(piece: bytes, value: int, missing: int) -> tuple[list[int], int, int] | None:
    """Code points of a token after the beginning of one; None for what begins no character.

    As lenient as llama.cpp: inside a token the high bits of following bytes are not looked at.
    """
    points: list[int] = []
    data = piece.split(b"\0", 1)[0]
    at, continued = 0, missing > 0
    while at < len(data) and missing:
        if data[at] >> 6 != 2:
            return None
        value, missing, at = (value << 6) + (data[at] & 0x3F), missing - 1, at + 1
    if continued and not missing:
        points.append(value)
    while at < len(data):
        missing = _LENGTHS[data[at] >> 4] - 1
        if missing < 0:
            return None
        value, at = data[at] & ((1 << (7 - missing)) - 1), at + 1
        while at < len(data) and missing:
            value, missing, at = (value << 6) + (data[at] & 0x3F), missing - 1, at + 1
        if not missing:
            points.append(value)
    return points, value, missing
