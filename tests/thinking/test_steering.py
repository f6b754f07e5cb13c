from __future__ import annotations

import numpy as np
import pytest

from qwq_gguf.thinking import Governor
from qwq_gguf.thinking.sentences import SentenceEnds
from qwq_gguf.thinking.steering import Steering, nearly_closed

CLOSE, WAIT, HMM = 7, 8, 9
WINDS = Governor(wind_down=0.5, wind_down_bias=8.0)


def steering(governor: Governor, close: int | None = CLOSE) -> Steering:
    return Steering(governor, close, frozenset((WAIT, HMM)))


def test_the_wind_down_grows_from_its_begin_to_the_bound() -> None:
    steps = [steering(WINDS).step(share / 100) for share in range(101)]
    assert steps[:50] == [0] * 50
    assert steps[50] == 1
    assert steps[100] == 16
    assert steps == sorted(steps)


def test_what_does_not_wind_down_never_begins_to() -> None:
    for governor in (
        Governor(),
        Governor(wind_down=1.0),
        Governor(wind_down=0.0, wind_down_bias=0.0),
    ):
        assert steering(governor).step(1.0) == 0


def test_closing_is_helped_where_a_sentence_ended_only() -> None:
    half = steering(WINDS)
    assert half.biases(8, sentence_ended=True) == {CLOSE: 4.0, WAIT: -4.0, HMM: -4.0}
    assert half.biases(8, sentence_ended=False) == {WAIT: -4.0, HMM: -4.0}
    assert half.biases(0, sentence_ended=True) == {}
    assert steering(WINDS, close=None).biases(16, sentence_ended=True) == {WAIT: -8.0, HMM: -8.0}


def test_the_penalty_on_hesitation_is_there_throughout() -> None:
    penal = Governor(hesitation_penalty=3.0, wind_down=0.5, wind_down_bias=8.0)
    assert steering(penal).biases(0, sentence_ended=True) == {WAIT: -3.0, HMM: -3.0}
    assert steering(penal).biases(16, sentence_ended=True) == {CLOSE: 8.0, WAIT: -11.0, HMM: -11.0}


@pytest.mark.parametrize("margin, closed", [(0.0, False), (0.9, False), (1.0, True), (5.0, True)])
def test_a_thought_is_nearly_closed(margin: float, closed: bool) -> None:
    logits = np.full(20, -5, np.float32)
    logits[3], logits[CLOSE] = 2.0, 1.0
    assert nearly_closed(logits, CLOSE, margin) is closed
    logits[CLOSE] = 2.0
    assert nearly_closed(logits, CLOSE, 0.0)


@pytest.mark.parametrize(
    "pieces, ends",
    [
        ("So| it| is|.", [0, 0, 0, 1]),
        ("So|.\n|\n", [0, 1, 1]),
        ("3|.|14", [0, 0, 0]),
        ("1|.| Carry| it|.", [0, 0, 0, 0, 1]),
        ("No|!| Yes|?|!", [0, 1, 0, 1, 1]),
        ('"So|."| He', [0, 1, 0]),
        ("so|.|)|\n| x", [0, 1, 1, 1, 0]),
        ("a|.  |b", [0, 1, 0]),
        ("好|。|吗|？", [0, 1, 0, 1]),  # noqa: RUF001
        ("a,| b", [0, 0]),
    ],
)
def test_where_sentences_end(pieces: str, ends: list[int]) -> None:
    found = SentenceEnds()
    assert [found.feed(piece.encode()) for piece in pieces.split("|")] == [bool(e) for e in ends]


def test_a_mark_in_several_pieces_ends_a_sentence_with_its_last() -> None:
    found = SentenceEnds()
    assert [found.feed(bytes([byte])) for byte in "…".encode()] == [False, False, True]
