from __future__ import annotations

import itertools

import pytest

from qwq_gguf.errors import ProfileError
from qwq_gguf.thinking import LoopDetector, LoopSettings


@pytest.mark.parametrize("period", [1, 2, 3, 17, 100, 400])
def test_an_exact_period_is_found_and_its_begin_known(period: int) -> None:
    detector = LoopDetector()
    honest = list(range(1000, 1300))
    tokens = itertools.chain(honest, itertools.cycle(range(period)))
    found = map(detector.feed, itertools.islice(tokens, 300 + max(100, 7 * period)))
    loop = next(filter(None, found))
    assert loop.kind == "periodic"
    assert loop.period == period
    assert loop.begin == 300
    assert loop.repeats >= 3


def test_what_is_forgotten_is_no_loop() -> None:
    detector = LoopDetector()
    for _ in range(50):
        for token in range(12):
            assert detector.feed(token) is None
        detector.reset()


def test_settings_that_make_no_sense() -> None:
    with pytest.raises(ProfileError):
        LoopSettings(**{LoopSettings.__match_args__[0]: -1})
