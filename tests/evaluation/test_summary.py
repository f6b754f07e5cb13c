"""The figures of a run, against the statistics module and by hand."""

from __future__ import annotations

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.evaluation.summary import Sample, percentile, score, score_by_skill


def sample(tokens: int, *, right: bool = True, closed: bool = True, skill: str = "add") -> Sample:
    return Sample(
        profile="qwq",
        key=f"{skill}:1",
        skill=skill,
        question="?",
        expected="1",
        number=0,
        seed=7,
        right=right,
        closed=closed,
        answer="",
        thinking="",
        thinking_tokens=tokens,
        answer_tokens=1,
        prompt_tokens=1,
        finish_reason="stop",
        thought_ended="closed",
        tool_calls=0,
        seconds=0.123456,
    )


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=60))
def test_mean_and_median(tokens: list[int]) -> None:
    figures = score(sample(n) for n in tokens)
    assert figures.mean_thinking == pytest.approx(statistics.fmean(tokens))
    assert figures.median_thinking == statistics.median(tokens)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        (list(range(1, 101)), 0.95, 95),
        (list(range(1, 21)), 0.95, 19),
        (list(range(1, 20)), 0.95, 19),
        ([5], 0.95, 5),
        ([3, 1, 2], 0.5, 2),
        ([], 0.95, 0),
    ],
)
def test_nearest_rank(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


@given(st.lists(st.integers(0, 99), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_percentile_covers_its_share(values: list[int], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values) - 1e-6
    assert sum(v < found for v in values) < share * len(values) + 1e-6


def test_right_and_unclosed_are_counted_by_skill() -> None:
    samples = [
        sample(10),
        sample(30, right=False, closed=False),
        sample(5, skill="letters", right=False),
    ]
    figures = score_by_skill(samples)
    assert list(figures) == ["add", "letters"]
    assert (figures["add"].right, figures["add"].unclosed) == (1, 1)
    assert figures["add"].accuracy == 0.5
    assert figures["letters"].to_json() == {
        "samples": 1,
        "right": 0,
        "accuracy": 0.0,
        "unclosed": 0,
        "thinking_tokens": {"mean": 5.0, "median": 5.0, "p95": 5.0},
    }


def test_a_score_has_the_95th_percentile() -> None:
    assert score(sample(n) for n in range(1, 101)).p95_thinking == 95


def test_nothing_measured_is_not_a_crash() -> None:
    assert score([]).accuracy == 0.0


def test_a_sample_is_one_json_object() -> None:
    record = json.loads(json.dumps(sample(10).to_json()))
    assert record["schema"] == "qwq-gguf/eval-sample/1"
    assert (record["thinking_tokens"], record["seconds"]) == (10, 0.1235)
