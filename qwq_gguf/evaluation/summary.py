"""What the samples of a suite say: accuracy, and how many tokens the thoughts took. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

__all__ = ["SAMPLE_SCHEMA", "Sample", "Score", "percentile", "score", "score_by_skill"]

SAMPLE_SCHEMA = "qwq-gguf/eval-sample/1"


@dataclass(frozen=True, slots=True)
class Sample:
    """One reply to one problem.

    `number` counts the samples of the problem from 0. `closed` says whether the thought came
    to an end and an answer followed, `thought_ended` how it did.
    """

    profile: str
    key: str
    skill: str
    question: str
    expected: str
    number: int
    seed: int
    right: bool
    closed: bool
    answer: str
    thinking: str
    thinking_tokens: int
    answer_tokens: int
    prompt_tokens: int
    finish_reason: str
    thought_ended: str
    tool_calls: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The sample as a JSON object, with its schema."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {"schema": SAMPLE_SCHEMA, **fields, "seconds": round(self.seconds, 4)}


@dataclass(frozen=True, slots=True)
class Score:
    """Figures over some samples; token figures count the thoughts that never closed too."""

    samples: int
    right: int
    unclosed: int
    mean_thinking: float
    median_thinking: float
    p95_thinking: float

    @property
    def accuracy(self) -> float:
        """The share of right answers, 0 to 1."""
        return self.right / self.samples if self.samples else 0.0

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {
            "samples": self.samples,
            "right": self.right,
            "accuracy": round(self.accuracy, 6),
            "unclosed": self.unclosed,
            "thinking_tokens": {
                "mean": round(self.mean_thinking, 3),
                "median": self.median_thinking,
                "p95": self.p95_thinking,
            },
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest value that `share` of them do not exceed.

    0 for no values. `share` is from 0 (exclusive) to 1.
    """
    if not values:
        return 0.0
    rank = math.ceil(share * len(values) - 1e-9)
    return sorted(values)[max(rank, 1) - 1]


def score(samples: Iterable[Sample]) -> Score:
    """The figures over all of `samples`."""
    kept = list(samples)
    thoughts = [sample.thinking_tokens for sample in kept]
    return Score(
        samples=len(kept),
        right=sum(sample.right for sample in kept),
        unclosed=sum(not sample.closed for sample in kept),
        mean_thinking=fmean(thoughts) if thoughts else 0.0,
        median_thinking=float(median(thoughts)) if thoughts else 0.0,
        p95_thinking=float(percentile(thoughts, 0.95)),
    )


def score_by_skill(samples: Iterable[Sample]) -> dict[str, Score]:
    """The figures of each skill, in the order the skills first appear."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.skill, []).append(sample)
    return {skill: score(group) for skill, group in groups.items()}
