"""The honest texts that are made by rule, each with its kind, seed and half."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from loop_corpus.honest_data import DATA
from loop_corpus.honest_fresh import FRESH
from loop_corpus.honest_numbers import NUMBERS
from loop_corpus.honest_unseen import UNSEEN
from loop_corpus.honest_words import TEXTS
from loop_corpus.store import Half

__all__ = ["honest_texts"]


def honest_texts() -> Iterator[tuple[Half, str, int, str]]:
    """(half, kind, seed, text) of every kind."""
    for makers, each in ((NUMBERS + DATA + TEXTS, 3), (UNSEEN, 7), (FRESH, 7)):
        half: Half = "held-out" if makers is FRESH else "tuning"
        for make in makers:
            for seed in range(each):
                yield half, make.__name__, seed, make(Random(f"{make.__name__} {seed}"))
