"""How many tokens it pays to guess, by what was right of late. Pure.

With a share `p` of right guesses a step of `n` of them brings 1 + p + ... + p^n tokens (Leviathan
et al. 2023, arXiv 2211.17192, section 3.1). That is weighed against what the step takes, which is
a fixed estimate: see `Drafter` for why no clock is asked.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MOST_GUESSES", "Acceptance", "Costs", "best_length"]

MOST_GUESSES = 64
_MEMORY = 16  # guesses
_REST = 256  # steps without a guess, after which another is tried


@dataclass(frozen=True, slots=True)
class Costs:
    """The time of a step with guesses, in steps of one token.

    llama.cpp multiplies four rows at once, on a processor in less time than two: `group` is that
    of four, `row` that of each besides, `begin` what any such step takes. `guess` is the time of
    guessing a token.
    """

    begin: float
    group: float
    row: float
    guess: float = 0.0

    def of(self, guesses: int) -> float:
        """The time of a step with so many."""
        if not guesses:
            return 1.0
        groups, rest = divmod(guesses + 1, 4)
        return self.begin + self.group * groups + self.row * rest + self.guess * guesses


def best_length(share: float, costs: Costs, most: int) -> int:
    """How many guesses, up to `most`, bring the most tokens for their time; 0 if none pays."""
    best, best_rate = 0, 1.0
    expected = power = 1.0
    for guesses in range(1, min(most, MOST_GUESSES) + 1):
        power *= share
        expected += power
        rate = expected / costs.of(guesses)
        if rate > best_rate:
            best, best_rate = guesses, rate
    return best


class Acceptance:
    """The share of guesses that were right of late, each given that those before it were."""

    def __init__(self, start: float) -> None:
        """`start` is what is thought of them before there are any."""
        self._start = start
        self.share = start

    def verified(self, drafted: int, accepted: int) -> None:
        """So many were right, and if there were more the next one was wrong."""
        for _ in range(accepted):
            self.share += (1 - self.share) / _MEMORY
        if accepted < drafted:
            self.share -= self.share / _MEMORY

    def passed(self) -> None:
        """It did not pay to guess. With time it is tried again: texts change."""
        self.share += (self._start - self.share) / _REST
