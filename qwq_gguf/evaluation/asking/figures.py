"""What the replies of a cell say: how many are right, and what that took. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from qwq_gguf.evaluation.asking.bootstrap import (
    Draws,
    Estimate,
    draw_problems,
    quantile,
    ratio,
    unseen_share,
)
from qwq_gguf.evaluation.asking.sample import Cell, Sample

__all__ = ["Figures", "Spread", "by_cell", "by_skill", "figures_of"]


@dataclass(frozen=True, slots=True)
class Spread:
    """How many tokens a reply took; p95 is the nearest rank."""

    mean: Estimate
    median: Estimate
    p95: Estimate

    def to_json(self) -> dict[str, Any]:
        """As an object of estimates."""
        return {name: getattr(self, name).to_json() for name in ("mean", "median", "p95")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures over some replies, with 95 % intervals by problem.

    `thought_tokens` is None where no reply had a thought: then it is not that thoughts are short.
    `tokens_per_right` and `seconds_per_right` are those of all replies, divided by the right ones;
    None where none is.
    """

    problems: int
    samples: int
    right: int
    accuracy: Estimate
    thought_tokens: Spread | None
    reply_tokens: Spread
    looped: int
    unanswered: int
    tokens_per_right: Estimate | None
    seconds_per_right: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        return {
            "problems": self.problems,
            "samples": self.samples,
            "right": self.right,
            "accuracy": self.accuracy.to_json(),
            "thought_tokens": _json(self.thought_tokens),
            "reply_tokens": self.reply_tokens.to_json(),
            "loops": self.looped,
            "unanswered": self.unanswered,
            "tokens_per_right": _json(self.tokens_per_right),
            "seconds_per_right": _json(self.seconds_per_right),
        }


def _json(value: Spread | Estimate | None) -> dict[str, Any] | None:
    return None if value is None else value.to_json()


def by_cell(samples: Iterable[Sample], cells: Sequence[Cell]) -> dict[Cell, list[Sample]]:
    """The replies of each of these cells, in their order; a cell without any is left out."""
    groups: dict[Cell, list[Sample]] = {cell: [] for cell in cells}
    for sample in samples:
        groups[sample.cell].append(sample)
    return {cell: group for cell, group in groups.items() if group}


def by_skill(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """The replies of each skill, in the order in which the skills come first."""
    groups: dict[str, list[Sample]] = {}
    for sample in samples:
        groups.setdefault(sample.skill, []).append(sample)
    return groups


def figures_of(samples: Iterable[Sample]) -> Figures:
    """The figures over these replies, at least one; in whatever order they come."""
    kept = sorted(samples, key=lambda sample: sample.reply_key)
    numbers = {key: number for number, key in enumerate(dict.fromkeys(s.key for s in kept))}
    draws = _drawn(len(numbers))
    counted = _Sums(kept, numbers, draws)
    accuracy = counted.over(lambda s: s.right, lambda s: 1)
    assert accuracy is not None, "there are no replies"
    thoughts = None
    if any(sample.thought_tokens for sample in kept):
        thoughts = counted.spread(lambda s: s.thought_tokens)
    return Figures(
        problems=len(numbers),
        samples=len(kept),
        right=sum(sample.right for sample in kept),
        accuracy=_widened(accuracy, len(numbers)),
        thought_tokens=thoughts,
        reply_tokens=counted.spread(lambda s: s.reply_tokens),
        looped=sum(sample.looped for sample in kept),
        unanswered=sum(not sample.answered for sample in kept),
        tokens_per_right=counted.over(lambda s: s.reply_tokens, lambda s: s.right),
        seconds_per_right=counted.over(lambda s: s.seconds, lambda s: s.right),
    )


@lru_cache(maxsize=8)
def _drawn(problems: int) -> Draws:
    return draw_problems(problems)


def _widened(accuracy: Estimate, problems: int) -> Estimate:
    """All right, or none: the draws all say the same then."""
    if accuracy.value == 1:
        return Estimate(1.0, 1 - unseen_share(problems), 1.0)
    if accuracy.value == 0:
        return Estimate(0.0, 0.0, unseen_share(problems))
    return accuracy


class _Sums:
    """Replies by problem."""

    def __init__(self, samples: Sequence[Sample], numbers: Mapping[str, int], draws: Draws) -> None:
        self._samples = samples
        self._owners = [numbers[sample.key] for sample in samples]
        self._problems = len(numbers)
        self._draws = draws

    def over(
        self, top: Callable[[Sample], float], bottom: Callable[[Sample], float]
    ) -> Estimate | None:
        """One sum over another."""
        return ratio(self._by_problem(top), self._by_problem(bottom), self._draws)

    def spread(self, tokens: Callable[[Sample], float]) -> Spread:
        """Mean, median and p95."""
        mean = self.over(tokens, lambda sample: 1)
        assert mean is not None
        values = [tokens(sample) for sample in self._samples]
        return Spread(mean, *(quantile(values, self._owners, s, self._draws) for s in (0.5, 0.95)))

    def _by_problem(self, value: Callable[[Sample], float]) -> list[float]:
        sums = [0.0] * self._problems
        for owner, sample in zip(self._owners, self._samples, strict=True):
            sums[owner] += value(sample)
        return sums
