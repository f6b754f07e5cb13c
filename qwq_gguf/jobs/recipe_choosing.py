"""Which recipe and context `run` takes for a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qwq_gguf.jobs.output_paths import DEFAULT_RECIPE

__all__ = ["BestFit", "Choice", "Fitting", "choose"]


class Candidate(Protocol):
    """A file that could be made."""

    @property
    def recipe(self) -> str:
        """The recipe's name."""


class Placed(Protocol):
    """Where a file goes in the memory of this machine."""

    @property
    def context(self) -> int:
        """Tokens that fit beside it."""


class Fitting(Protocol):
    """What a planner of memory says of one recipe; `placed` is None where it does not fit."""

    @property
    def candidate(self) -> Candidate:
        """The file."""

    @property
    def placed(self) -> Placed | None:
        """Its place."""


class BestFit(Protocol):
    """A planner: the best for this machine, None where nothing fits."""

    def __call__(
        self, source: str, *, revision: str | None = None, token: str | None = None
    ) -> Fitting | None:
        """Look at the headers, and at this machine."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A recipe, the context to run with (None: the profile's), and why."""

    recipe: str
    context: int | None
    why: str


def choose(
    source: str,
    *,
    recipe: str | None = None,
    context: int | None = None,
    best_fit: BestFit | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> Choice:
    """What was asked for, else what fits this machine, else what is usual."""
    if recipe is not None:
        return Choice(recipe, context, "asked for")
    found = None if best_fit is None else best_fit(source, revision=revision, token=token)
    if found is None or found.placed is None:
        return Choice(DEFAULT_RECIPE, context, "what is usual")
    return Choice(found.candidate.recipe, context or found.placed.context, "what fits this machine")
