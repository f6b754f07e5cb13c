"""The loop detector on texts that really loop, and on honest ones that only look like it."""

from __future__ import annotations

from collections import Counter

import pytest
from loop_corpus.criterion import exact_tail, label
from loop_corpus.measure import FLOOR, false_alarms, follow
from loop_corpus.store import (
    FOLDER,
    Half,
    Honest,
    Looping,
    read_honest,
    read_looping,
)

# What holds for each half; docs/thinking.md says what is missing.
SOON = 0.92
HALVES: tuple[Half, ...] = ("tuning", "held-out")


@pytest.fixture(scope="module")
def looping() -> list[Looping]:
    return list(read_looping())


@pytest.fixture(scope="module")
def honest() -> list[Honest]:
    return list(read_honest())


@pytest.mark.parametrize("half", HALVES)
def test_loops_are_found_soon(looping: list[Looping], half: Half) -> None:
    found = follow(text for text in looping if text.half == half)
    found = [each for each in found if not each.undecided(3, FLOOR)]
    assert len(found) >= 0.95 * sum(text.half == half for text in looping)
    soon = sum(each.within(3, FLOOR) for each in found)
    assert soon >= SOON * len(found), [
        (each.text.origin["model"], each.text.kind, each.text.period, each.delay)
        for each in found
        if not each.within(3, FLOOR)
    ]


@pytest.mark.parametrize("half", HALVES)
def test_long_rounds_are_found_within_three(looping: list[Looping], half: Half) -> None:
    found = follow(
        text
        for text in looping
        if text.half == half
        and text.kind == "periodic"
        and len(set(text.tokens[text.begin :])) >= 40
    )
    assert all(each.within(3) for each in found)


@pytest.mark.parametrize("half", HALVES)
def test_honest_texts_are_no_loops(honest: list[Honest], half: Half) -> None:
    assert [
        (text.origin, tokenizer, loop)
        for text, tokenizer, loop in false_alarms(text for text in honest if text.half == half)
    ] == []


def test_the_labels_are_those_of_the_criterion(looping: list[Looping]) -> None:
    for text in looping[::7]:
        found = label(text.tokens)
        assert found is not None
        assert (found.kind, found.period, found.begin) == (text.kind, text.period, text.begin)
        if text.kind == "periodic":
            period, length = exact_tail(text.tokens)
            assert (period, len(text.tokens) - length) == (text.period, text.begin)


def test_the_set_is_what_it_is_said_to_be(looping: list[Looping], honest: list[Honest]) -> None:
    assert len(looping) >= 300
    assert len(honest) >= 300
    for entries in (looping, honest):
        halves: Counter[Half] = Counter(entry.half for entry in entries)
        assert min(halves[half] for half in HALVES) >= 0.3 * len(entries)
    # No beginning twice: greedy chains say the same to the same.
    begun = {(t.origin["model"], t.origin["quant"], *t.tokens[:150]) for t in looping}
    assert len(begun) == len(looping)
    assert len({text.origin["model"] for text in looping}) >= 2
    assert sum("model" not in text.origin for text in honest) >= 300
    assert all(len(text.tokens) >= 3 for text in honest if "model" not in text.origin)
    assert sum(file.stat().st_size for file in FOLDER.iterdir() if file.is_file()) < 3_000_000
