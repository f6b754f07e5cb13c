"""The honest texts that are made by rule, each with its kind, seed and half."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from loop_corpus.honest_data import DATA
from loop_corpus.honest_fresh import FRESH
from loop_corpus.honest_later import LATER
from loop_corpus.honest_numbers import NUMBERS
from loop_corpus.honest_traces import TRACES
from loop_corpus.honest_unseen import UNSEEN
from loop_corpus.honest_words import TEXTS
from loop_corpus.store import Half

__all__ = ["honest_texts"]

_PARTS: tuple[tuple[Half, tuple[Callable[[Random], str], ...], int], ...] = (
    ("tuning", NUMBERS + DATA + TEXTS, 3),
    ("tuning", UNSEEN, 7),
    ("tuning", TRACES, 3),
    ("held-out", FRESH, 7),
    ("held-out", LATER, 4),
)


def honest_texts() -> Iterator[tuple[Half, str, int, str]]:
    """(half, kind, seed, text) of every kind."""
    for half, makers, each in _PARTS:
        for make in makers:
            for seed in range(each):
                yield half, make.__name__, seed, make(Random(f"{make.__name__} {seed}"))
