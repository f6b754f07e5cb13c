"""How long an idle engine waits for more prompts before it computes the first: measured, then told.

Requests that are made together come some milliseconds apart. Were the first prompt computed alone,
the others' would be computed while it is read, each step a long wait between two of its tokens.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Gathering"]

# Of the time that the prompts take anyway: too little to be noticed in it.
_SHARE = 0.05
# Seconds that are noticed by nobody, however long the prompts are.
_MOST = 0.1
# Steps that are remembered: the first of a burst is long, those after it are pieces of prompts.
_STEPS = 32


class Gathering:
    """Learns from steps with prompts what they take; knows nothing, and never waits, before."""

    def __init__(self, most: float = _MOST) -> None:
        """Waits are of `most` seconds at most."""
        self._most = most
        self._learnt: deque[tuple[int, float]] = deque(maxlen=_STEPS)

    def learn(self, tokens: int, seconds: float) -> None:
        """So many tokens, of prompts among others, took one step so long."""
        self._learnt.append((tokens, seconds))

    def patience(self, tokens: int) -> float:
        """Seconds to wait for more where a step would have so many tokens.

        A step takes no less than its share of a longer one, and no less than a shorter one, so
        this is never more than the share that it should be.
        """
        takes = max((took * min(1.0, tokens / size) for size, took in self._learnt), default=0.0)
        return min(self._most, _SHARE * takes)
