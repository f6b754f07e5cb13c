"""Where the last tokens were before, against looking everywhere."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from qwq_gguf.thinking import recurrence
from qwq_gguf.thinking.recurrence import GRAM, Recurrence


def last_place(text: list[int], reach: int) -> int:
    """How long ago the last GRAM tokens were there, found by comparing with every place."""
    gram = text[-GRAM:]
    for lag in range(1, min(reach, len(text) - GRAM) + 1):
        if text[-GRAM - lag : -lag] == gram:
            return lag
    return 0


def run_at(text: list[int], lag: int) -> int:
    """How many of the last tokens equal those `lag` before them."""
    run = 0
    while run + lag < len(text) and text[-1 - run] == text[-1 - run - lag]:
        run += 1
    return run


def rambling(draw: random.Random, length: int, kinds: int) -> list[int]:
    """Tokens of which much was said before, at all distances."""
    text: list[int] = []
    while len(text) < length:
        if len(text) > 20 and draw.random() < 0.6:
            start = draw.randrange(len(text))
            text += text[start : start + draw.randrange(1, 90)]
        else:
            text.append(draw.randrange(kinds))
    return text[:length]


@pytest.mark.parametrize("seed", range(12))
def test_it_finds_the_last_place_within_reach(seed: int) -> None:
    draw = random.Random(seed)
    reach = draw.choice((30, 64, 200))
    seen = Recurrence(reach)
    text: list[int] = []
    for token in rambling(draw, 700, draw.choice((2, 3, 10))):
        text.append(token)
        assert seen.feed(token) == last_place(text, reach)
        kept = text[-len(seen.tail(10**6)) :]
        for lag, run in seen.lags.items():
            assert run >= GRAM
            # What was forgotten cannot be compared, what was followed from before still counts.
            assert run_at(kept, lag) <= run <= run_at(text, lag)
    assert len(seen) == len(text)


def test_equal_hashes_are_no_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recurrence, "_PRIME", 7)
    draw = random.Random(1)
    seen = Recurrence(100)
    text: list[int] = []
    for _ in range(400):
        text.append(draw.randrange(3))
        lag = seen.feed(text[-1])
        assert not lag or text[-GRAM - lag : -lag] == text[-GRAM:]
        assert all(run_at(text, lag) >= GRAM for lag in seen.lags)


def test_what_is_kept_is_bounded() -> None:
    draw = random.Random(2)
    seen = Recurrence(1000)
    tracemalloc.start()
    sizes = []
    for _ in range(3):
        for _ in range(4000):
            seen.feed(draw.randrange(1000))
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[2] < 1.2 * sizes[0] < 4e6
    assert len(seen) == 12_000
    assert 1000 <= len(seen.tail(10**6)) <= 2000
