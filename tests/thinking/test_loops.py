"""Loops found in tokens, against trying every period at every place."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace

import numpy as np
import pytest

from qwq_gguf.errors import ProfileError
from qwq_gguf.thinking import Loop, LoopDetector, LoopSettings

# Small numbers, so that short texts have loops; no near repeats.
SMALL = LoopSettings(telling=6, enough=60, longest=300, near_tokens=1 << 20)


def feed(detector: LoopDetector, tokens: list[int]) -> tuple[Loop, int] | None:
    """The first loop and after how many tokens."""
    for count, token in enumerate(tokens, 1):
        if loop := detector.feed(token):
            return loop, count
    return None


def every_period(tokens: list[int], settings: LoopSettings) -> dict[int, int]:
    """The periods at which a text is a loop by the rule, with the lengths of their tails."""
    out = {}
    text = np.array(tokens)
    for period in range(1, min(settings.longest, len(tokens) // 2) + 1):
        if text[-1] != text[-1 - period]:
            continue
        same = text[:-period] == text[period:]
        run = len(same) if same.all() else int(same[::-1].argmin())
        needed = settings.periodic_tokens(period, len(set(tokens[-period:])))
        if run >= period and run + period >= needed:
            out[period] = run + period
    return out


@pytest.mark.parametrize("seed", range(30))
def test_it_agrees_with_trying_every_period(seed: int) -> None:
    draw = random.Random(seed)
    kinds = draw.choice((2, 4, 30))
    text = [draw.randrange(kinds) for _ in range(draw.randrange(100))]
    for _ in range(3):
        block = [draw.randrange(kinds) for _ in range(draw.choice((1, 2, 3, 7, 20, 60, 150)))]
        text += (block * 60)[: int(len(block) * draw.uniform(1.5, 4)) + draw.randrange(70)]
        text += [draw.randrange(kinds) for _ in range(draw.randrange(30))]
    detector = LoopDetector(SMALL)
    for count, token in enumerate(text, 1):
        loop = detector.feed(token)
        expected = every_period(text[:count], SMALL)
        assert bool(loop) == bool(expected), (count, loop, expected)
        if loop:
            assert loop.kind == "periodic"
            assert expected[loop.period] == count - loop.begin
            assert loop.repeats == (count - loop.begin) / loop.period


@pytest.mark.parametrize("period", [1, 2, 5, 12, 13, 31, 64, 100, 500, 1000, 4096])
def test_a_block_said_again_and_again_is_found_at_the_very_token(period: int) -> None:
    settings = LoopSettings(near_tokens=1 << 20)
    lead = [10_000 + i for i in range(37)]
    text = lead + list(itertools.islice(itertools.cycle(range(period)), 4 * period + 400))
    found = feed(LoopDetector(settings), text)
    assert found is not None
    loop, count = found
    assert (loop.kind, loop.period, loop.begin) == ("periodic", period, 37)
    assert count - 37 == settings.periodic_tokens(period, period)


def test_long_blocks_are_found_within_three_rounds_and_short_ones_need_more() -> None:
    settings = LoopSettings()
    needed = {d: settings.periodic_tokens(d, d) / d for d in (1, 2, 6, 10, 20, 40, 400)}
    assert needed[40] <= 3
    assert needed[400] <= 3
    assert list(needed.values()) == sorted(needed.values(), reverse=True)
    assert needed[6] * 6 > 200  # the digits of 1/7
    assert settings.periodic_tokens(1, 1) == settings.enough
    # A long block of few different tokens, as rows of zeros are: tokens count, but three rounds.
    assert settings.periodic_tokens(30, 5) == settings.enough
    assert settings.periodic_tokens(1000, 5) == settings.row_rounds / 2 * 1000
    assert settings.periodic_tokens(1000, 100) == math.ceil(settings.repeats * 1000)


def test_a_longer_period_than_is_looked_for_is_no_loop() -> None:
    settings = LoopSettings(longest=100, near_rounds=1000)
    assert feed(LoopDetector(settings), list(range(101)) * 6) is None
    assert feed(LoopDetector(settings), list(range(100)) * 6) is not None


SENTENCE = list(range(100, 140))


def varied(draw: random.Random, rounds: int) -> list[int]:
    """The same forty tokens over and over, with a token or two changed or left out each time."""
    out: list[int] = []
    for number in range(rounds):
        copy = SENTENCE.copy()
        copy[20] = 1000 + number
        if draw.random() < 0.3:
            del copy[0]
        out += copy
    return out


@pytest.mark.parametrize("seed", range(5))
def test_the_same_with_small_changes_is_a_loop(seed: int) -> None:
    draw = random.Random(seed)
    lead = [draw.randrange(5000, 9000) for _ in range(200)]
    settings = LoopSettings(novelty=1.0)
    found = feed(LoopDetector(settings), lead + varied(draw, 60))
    assert found is not None
    loop, _ = found
    assert loop.kind == "near"
    assert 36 <= loop.period <= 60  # the repeats of what stands near a change are farther off
    assert 150 <= loop.begin <= 300
    assert loop.repeats > 3


def test_changes_in_every_line_of_a_table_are_honest() -> None:
    draw = random.Random(1)
    row = list(range(12))
    table = [t for _ in range(200) for t in (*row, *(draw.randrange(20, 30) for _ in range(6)))]
    assert feed(LoopDetector(), table) is None


@pytest.mark.parametrize("length", [100, 400, 2000])
def test_what_is_said_a_second_time_is_no_loop(length: int) -> None:
    draw = random.Random(length)
    program = [draw.randrange(5000) for _ in range(length)]
    between = [draw.randrange(5000) for _ in range(length // 4)]
    assert feed(LoopDetector(), program + between + program) is None
    again = feed(LoopDetector(), program * 4)
    assert again is not None
    assert again[1] <= 3 * length


def test_a_reset_forgets_everything() -> None:
    detector = LoopDetector()
    text = list(range(50)) * 3
    first = feed(detector, text)
    assert first is not None
    detector.reset()
    assert feed(detector, text) == first
    detector.reset()
    assert feed(detector, text[:100]) is None
    detector.reset()
    assert feed(detector, text[:100]) is None


def test_it_goes_on_saying_so_until_the_loop_breaks() -> None:
    detector = LoopDetector()
    said = [detector.feed(token) for token in list(range(50)) * 4]
    first = next(at for at, loop in enumerate(said) if loop)
    assert all(said[first:])
    said = [detector.feed(1000 + number) for number in range(100)]
    assert said[-1] is None


@pytest.mark.parametrize(
    "change",
    [
        {"repeats": 1.0},
        {"repeats": math.nan},
        {"telling": 0},
        {"enough": 1},
        {"longest": 0},
        {"longest": 1 << 21},
        {"novelty": 0.0},
        {"near_tokens": 0},
        {"near_telling": 0},
        {"near_rounds": math.inf},
        {"row_line": 0},
        {"line_telling": 0},
    ],
)
def test_settings_that_make_no_sense(change: dict[str, float]) -> None:
    with pytest.raises(ProfileError, match=f"loops: {next(iter(change))}"):
        replace(LoopSettings(), **change)  # type: ignore[arg-type]


def test_rows_need_more_rounds_than_sentences() -> None:
    """Passes of a sorting over a row that is sorted already, and a paragraph said again."""
    settings = LoopSettings()
    one_pass = [token for i in range(8) for token in (90, i, 91, i + 1, 92, *range(8), 93)]
    assert len(one_pass) > settings.rows * len(set(one_pass))
    found = feed(LoopDetector(), one_pass * 20)
    assert found is not None
    assert 7.9 <= found[1] / len(one_pass) <= 8.1
    numbered = [t for n in range(30) for t in (100 + n, *one_pass)]
    near = feed(LoopDetector(), numbered)
    assert near is not None
    assert near[1] >= 16 * (len(one_pass) + 1)
    paragraph = list(range(len(one_pass)))
    found = feed(LoopDetector(), paragraph * 20)
    assert found is not None
    assert found[1] <= 3 * len(paragraph)


def _mutated(seed: int, count: int) -> list[int]:
    """`Wait, So 1253252. Wait, So 1253272.`: a digit changes now and then, so that no long stretch
    is the same."""
    draw = random.Random(seed)
    digits, out = [draw.randrange(10) for _ in range(7)], []
    for _ in range(count):
        if draw.random() < 0.25:
            digits[draw.randrange(7)] = draw.randrange(10)
        out += [20, 21, 22, *digits, 23]
    return out


def test_most_of_a_line_said_before_is_a_loop_where_lines_are_told() -> None:
    for seed in range(5):
        text = _mutated(seed, 60)
        told = LoopDetector()
        assert any(told.feed(token, ends_line=False) for token in text), seed
        rows = LoopDetector()
        assert not any(rows.feed(token, ends_line=token == 23) for token in text), seed
        assert feed(LoopDetector(), text) is None  # nobody knows


def test_a_loop_in_a_line_says_where_it_began() -> None:
    lead = [1000 + i for i in range(50)]
    detector = LoopDetector()
    for token in lead:
        assert detector.feed(token, ends_line=token % 10 == 9) is None
    loop = next(
        found for token in _mutated(1, 80) if (found := detector.feed(token, ends_line=False))
    )
    assert loop.kind == "near"
    assert 50 <= loop.begin <= 50 + 60


def test_chance_is_no_loop_in_a_line_either() -> None:
    for kinds in (2, 4, 10):
        draw = random.Random(kinds)
        detector = LoopDetector()
        assert not any(
            detector.feed(draw.randrange(kinds), ends_line=False) for _ in range(5000)
        ), kinds


def _frames(draw: random.Random, count: int) -> list[int]:
    """A trace of a recursion: two short lines a frame, with one of four numbers and two words."""
    out: list[int] = []
    for _ in range(count):
        number, word = draw.randrange(30, 34), draw.randrange(40, 42)
        out += [*range(8), number, 8, 9, 10, 99, *range(11, 18), word, 18, 19, 99]
    return out


@pytest.mark.parametrize("seed", range(5))
def test_short_lines_said_again_with_changes_are_rows(seed: int) -> None:
    trace = _frames(random.Random(seed), 40)
    told = LoopDetector()
    assert not any(told.feed(token, ends_line=token == 99) for token in trace)
    prose = LoopDetector()  # the same in one paragraph says nothing new
    assert any(prose.feed(token, ends_line=False) for token in trace)
    for_ever = LoopDetector()
    more = _frames(random.Random(seed), 400)
    assert any(for_ever.feed(token, ends_line=token == 99) for token in more)


def test_short_lines_exactly_the_same_take_eight_rounds_or_enough_tokens() -> None:
    settings = LoopSettings()
    line = [*range(19), 99]
    detector = LoopDetector()
    assert not any(detector.feed(token, ends_line=token == 99) for token in line * 7)
    assert any(detector.feed(token, ends_line=token == 99) for token in line * 2)
    assert settings.periodic_tokens(20, 20) < 6 * 20  # were it a sentence
    assert settings.periodic_tokens(60, 60, 4) == settings.enough
    assert settings.periodic_tokens(60, 60, 1) == 165  # a long line is a sentence


def test_a_line_may_come_back_to_what_was_said_long_ago() -> None:
    """A truth table in words: each sentence is like one far before it, none like the last few."""
    draw = random.Random(1)
    sentences = [[draw.randrange(20, 60) for _ in range(60)] for _ in range(5)]
    text = [
        token
        for number in range(24)
        for at, token in enumerate(sentences[number % 5])
        for token in ((100 + number, token) if at % 30 == 0 else (token,))
    ]
    near, far = LoopSettings(line_reach=400), LoopSettings()
    assert any(_said_in_a_line(near, text))
    assert not any(_said_in_a_line(far, text))


def _said_in_a_line(settings: LoopSettings, text: list[int]) -> list[Loop | None]:
    detector = LoopDetector(settings)
    return [detector.feed(token, ends_line=False) for token in text]


def test_a_row_of_zeros_and_ones_in_a_line_takes_longer() -> None:
    draw = random.Random(1)
    text: list[int] = []
    for _ in range(20):
        row = [draw.random() < 0.1 for _ in range(10)]
        text += [3, *(token for bit in row for token in (int(bit), 4)), 5, 4]
    assert not any(_said_in_a_line(LoopSettings(), text))
    assert any(_said_in_a_line(LoopSettings(line_telling=1), text))
