"""How one cell differs from another, reply by reply: same problem, same dice. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from qwq_gguf.evaluation.asking.bootstrap import Estimate, draw_problems, ratio, unseen_share
from qwq_gguf.evaluation.asking.sample import Sample

__all__ = ["Difference", "difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell less the first one, over the replies that both have.

    `same` counts pairs that say the same, word for word. Accuracy is in shares, -1 to 1;
    `thought_tokens` is None where one of the two has no thoughts at all.
    """

    problems: int
    pairs: int
    same: int
    accuracy: Estimate
    thought_tokens: Estimate | None
    reply_tokens: Estimate

    def to_json(self) -> dict[str, Any]:
        """As an object of estimates."""
        thoughts = self.thought_tokens
        return {
            "problems": self.problems,
            "pairs": self.pairs,
            "same": self.same,
            "accuracy": self.accuracy.to_json(),
            "thought_tokens": None if thoughts is None else thoughts.to_json(),
            "reply_tokens": self.reply_tokens.to_json(),
        }


def difference(first: Iterable[Sample], other: Iterable[Sample]) -> Difference | None:
    """`other` less `first`, each the replies of one cell; None where they share no problem."""
    known = {(s.key, s.sample, s.seed): s for s in first}
    pairs = [
        (known[place], sample)
        for sample in sorted(other, key=lambda s: s.reply_key)
        if (place := (sample.key, sample.sample, sample.seed)) in known
    ]
    if not pairs:
        return None
    by_problem: dict[str, list[tuple[Sample, Sample]]] = {}
    for pair in pairs:
        by_problem.setdefault(pair[0].key, []).append(pair)
    draws = draw_problems(len(by_problem))
    counts = [float(len(group)) for group in by_problem.values()]

    def mean(value: Callable[[Sample], float]) -> Estimate:
        sums = [sum(value(b) - value(a) for a, b in group) for group in by_problem.values()]
        found = ratio(sums, counts, draws)
        assert found is not None
        return found

    think = all(any(pair[side].thought_tokens for pair in pairs) for side in (0, 1))
    return Difference(
        problems=len(by_problem),
        pairs=len(pairs),
        same=sum(a.thought == b.thought and a.answer == b.answer for a, b in pairs),
        accuracy=_widened(mean(lambda s: s.right), pairs, len(by_problem)),
        thought_tokens=mean(lambda s: s.thought_tokens) if think else None,
        reply_tokens=mean(lambda s: s.reply_tokens),
    )


def _widened(found: Estimate, pairs: list[tuple[Sample, Sample]], problems: int) -> Estimate:
    """No pair differs: the draws all say 0 then, whatever would show in more problems."""
    if any(a.right != b.right for a, b in pairs):
        return found
    unseen = unseen_share(problems)
    return Estimate(found.value, -unseen, unseen)
