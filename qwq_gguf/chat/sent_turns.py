"""Which turns of a chat are still sent when its context is full.

A turn is a question and all that followed it: calls, results, the answer. Whole turns go, the
oldest first; what comes before the first question, the system's turn, stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from qwq_gguf.chat.messages import Message

__all__ = ["Sent", "left_out", "reserve_of", "turns_of"]

_RESERVE = 4


def reserve_of(context: int, max_tokens: int | None) -> int:
    """Tokens that are kept free for a reply: a quarter of the context, or its limit if less."""
    usual = context // _RESERVE
    return usual if max_tokens is None else min(usual, max_tokens)


def turns_of(messages: Sequence[Message]) -> tuple[tuple[Message, ...], ...]:
    """A history cut before each question."""
    starts = [at for at, message in enumerate(messages) if message.role == "user"]
    edges = [0, *starts[1:], len(messages)] if messages else []
    return tuple(tuple(messages[begin:end]) for begin, end in pairwise(edges))


class Sent:
    """Which part of a growing history is sent; its oldest turns, once left out, stay so."""

    def __init__(self) -> None:
        self.left_out = 0
        """Turns that are not sent."""
        self.crowded = False
        """Whether the last reply had no room."""

    def of(self, history: Sequence[Message]) -> tuple[Message, ...]:
        """The messages that are."""
        return _without(turns_of(history), self.left_out)

    def make_room(
        self,
        history: Sequence[Message],
        length: Callable[[Sequence[Message]], int],
        *,
        context: int,
        max_tokens: int | None,
    ) -> int:
        """How many turns more are left out from now on, so that a reply has room.

        `length` says how many tokens a prompt has, which sends these of the history.
        """
        turns = turns_of(history)
        if self.left_out >= len(turns):
            return 0
        out = left_out(
            len(turns),
            lambda out: length(_without(turns, out)),
            already=self.left_out,
            context=context,
            reserve=reserve_of(context, max_tokens),
            crowded=self.crowded,
        )
        self.crowded = False
        before, self.left_out = self.left_out, self.left_out if out is None else out
        return self.left_out - before


def left_out(
    turns: int,
    length: Callable[[int], int],
    *,
    already: int,
    context: int,
    reserve: int,
    crowded: bool = False,
) -> int | None:
    """How many of the oldest turns are not sent; None when the question alone does not fit.

    `length` says how many tokens a prompt without so many of `turns` turns has; `already` are
    out. Nothing changes as long as `reserve` tokens stay free, unless it was `crowded`: the
    last reply had no room. Else enough go that twice as many are free, so that the next turns,
    which build on this prompt, need not be cut again. A long question may leave less than
    that: then all go that help to keep the reserve, or as few as make it fit.
    """
    already = min(already, turns)
    first = already
    if crowded:
        first = min(already + 1, turns)
    elif length(already) + reserve <= context:
        return already
    for most in (context - 2 * reserve, context - reserve, context - 1):
        if length(turns) <= most:
            return _fewest(first, turns, length, most)
    return None


def _without(turns: Sequence[Sequence[Message]], out: int) -> tuple[Message, ...]:
    return tuple(message for turn in turns[out:] for message in turn)


def _fewest(first: int, last: int, length: Callable[[int], int], most: int) -> int:
    """The least number from `first` on with a length of at most `most`; that of `last` has it."""
    while first < last:
        middle = (first + last) // 2
        if length(middle) <= most:
            last = middle
        else:
            first = middle + 1
    return last
