"""What guesses a text's next tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Drafter"]


class Drafter(Protocol):
    """Guesses how one text goes on. Its guesses decide nothing but the time that it takes.

    They must not depend on a clock: what is computed in one decode decides how llama.cpp
    rounds, and so a seed could give another text each time.
    """

    def begin(self, prompt: Sequence[int]) -> None:
        """Another text begins, with these tokens."""

    def add(self, token: int) -> None:
        """The text goes on with this token."""

    def draft(self, most: int) -> list[int]:
        """At most so many guesses of what comes next; none where they would not pay."""

    def verified(self, drafted: int, accepted: int) -> None:
        """Of the last guesses so many were computed, and the first `accepted` were right."""

    def interrupt(self) -> None:
        """End what is being computed; from any thread."""

    def close(self) -> None:
        """Free what it has; may be called twice."""
