"""What is guessed, how much of it, and what that has brought: values, without a model."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from qwq_gguf.chat.speculated import Speculated
from qwq_gguf.engine.speculation.lengths import MOST_GUESSES, Acceptance, Costs, best_length
from qwq_gguf.engine.speculation.suffixes import LEAST_MATCH, MOST_MATCH, SuffixIndex
from qwq_gguf.engine.speculation.text import TextDrafter

FREE = Costs(begin=1.0, group=0.0, row=0.0)
USUAL = Costs(begin=0.95, group=0.65, row=0.4)


def longest(text: Sequence[int]) -> int:
    """The length of the longest end of a text that has come before in it, by looking."""
    end = len(text)
    best = 0
    for place in range(1, end):
        size = 0
        while size < place and text[place - 1 - size] == text[end - 1 - size]:
            size += 1
        best = max(best, size)
    return min(best, MOST_MATCH) if best >= LEAST_MATCH else 0


@pytest.mark.parametrize("seed", range(20))
def test_the_index_finds_the_longest_end(seed: int) -> None:
    dice = random.Random(seed)
    index = SuffixIndex()
    text = [dice.randrange(2 + seed) for _ in range(4)]
    index.begin(text)
    for _ in range(300):
        place, size = index.match()
        true = longest(text)
        if true:
            assert text[place - size : place] == text[-size:]
            # Of places that begin alike only the last ones are kept.
            assert LEAST_MATCH <= size <= true
        else:
            assert size == 0
        if seed > 10:
            assert size == true
        token = dice.randrange(2 + seed)
        text.append(token)
        index.add(token)


def test_what_followed_and_what_would_follow_a_period() -> None:
    index = SuffixIndex()
    index.begin([1, 2, 3, 4, 5, 6, 1, 2, 3])
    place, size = index.match()
    assert (place, size) == (3, 3)
    assert index.following(place, 3) == [4, 5, 6]
    index.begin([7, 8, 9] * 4)
    place, _ = index.match()
    assert index.following(place, 10) == [7, 8, 9, 7, 8, 9, 7, 8, 9, 7]


def test_the_memory_of_the_index_is_bounded() -> None:
    dice = random.Random(1)
    index = SuffixIndex(most=100)
    index.begin([dice.randrange(1000) for _ in range(5000)])
    for _ in range(5000):
        index.add(dice.randrange(1000))
        assert len(index._text) < 200
        assert len(index._places) < 200
    index.begin([1, 2, 3, 4])
    assert index.match() == (0, 0)


def test_how_many_guesses_pay() -> None:
    assert best_length(1.0, FREE, 10) == 10
    assert best_length(1.0, FREE, 10**6) == MOST_GUESSES
    assert best_length(0.0, FREE, 10) == 0
    assert best_length(0.6, USUAL, 64) == 3  # four rows are computed as fast as two
    assert best_length(0.3, USUAL, 64) == 0
    assert best_length(0.98, USUAL, 64) > 10
    # A guess that takes as long as the token itself never pays.
    assert best_length(0.99, Costs(begin=0.95, group=0.65, row=0.4, guess=1.0), 64) == 0


def test_the_share_of_right_guesses_follows_what_happens() -> None:
    acceptance = Acceptance(0.6)
    for _ in range(20):
        acceptance.verified(4, 4)
    assert acceptance.share > 0.95
    for _ in range(60):
        acceptance.verified(4, 0)
    assert acceptance.share < 0.05
    for _ in range(1500):
        acceptance.passed()
    assert acceptance.share == pytest.approx(0.6, abs=0.02)


def test_a_text_that_repeats_is_guessed_and_one_that_does_not_is_not() -> None:
    def run(text: list[int]) -> tuple[int, int]:
        drafter = TextDrafter(USUAL)
        drafter.begin(text[:10])
        at, drafted, right = 10, 0, 0
        while at < len(text):
            drafter.add(text[at])
            at += 1
            guesses = drafter.draft(min(16, len(text) - at))
            same = 0
            while same < len(guesses) and guesses[same] == text[at + same]:
                same += 1
            if guesses:
                drafter.verified(len(guesses), same)
            for token in text[at : at + same]:
                drafter.add(token)
            at, drafted, right = at + same, drafted + len(guesses), right + same
        return drafted, right

    dice = random.Random(3)
    passage = [dice.randrange(5000) for _ in range(120)]
    drafted, right = run(passage + [dice.randrange(5000) for _ in range(50)] + passage)
    assert right > 90
    assert drafted < 1.2 * right
    # Of five tokens all have come before, and what followed says nothing: soon it is left.
    drafted, _ = run([dice.randrange(5) for _ in range(3000)])
    assert drafted < 600


def test_what_it_has_brought() -> None:
    plain = Speculated(steps=10, tokens=10, seconds=1.0, plain_steps=10, plain_seconds=1.0)
    assert plain.tokens_per_step == 1.0
    assert plain.speed_up == 1.0
    assert plain.describe() == "guessed nothing: it would not have paid"
    both = plain + Speculated(steps=10, tokens=40, drafted=60, accepted=30, seconds=1.0)
    assert both.acceptance == 0.5
    assert both.tokens_per_step == 2.5
    assert both.speed_up == 2.5
    assert both.describe() == (
        "guessed 60 tokens, 30 of them right · 2.50 tokens a step · 2.50 times as fast"
    )
    assert both.to_json() == {
        "drafted": 60,
        "accepted": 30,
        "steps": 20,
        "tokens_per_step": 2.5,
        "speed_up": 2.5,
    }
    assert Speculated().speed_up is None
    assert Speculated().tokens_per_step == 0.0
    assert Speculated().acceptance == 0.0
