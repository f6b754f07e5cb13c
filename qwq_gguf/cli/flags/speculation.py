"""Whether tokens are guessed ahead, and by what: the flags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from qwq_gguf.jobs.speculating import SpeculationWish

__all__ = ["Guessing"]

Speculate: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--speculate",
        metavar="text|FILE",
        help="Guess tokens ahead, for speed alone: out of the text itself, or by a smaller "
        "model's GGUF file with the same vocabulary.  [default: off]",
        show_default=False,
    ),
]
DraftTokens: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--draft-tokens",
        metavar="N",
        min=1,
        max=64,
        help="The most tokens that are guessed at once.  [default: as many as pay]",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Guessing:
    """Both of them."""

    speculate: Speculate = None
    draft_tokens: DraftTokens = None

    def wish(self) -> SpeculationWish | None:
        """What they ask for. Usage error for the second without the first."""
        from qwq_gguf.jobs.speculating import SpeculationWish

        if self.speculate is None:
            if self.draft_tokens is not None:
                raise typer.BadParameter("--draft-tokens goes with --speculate")
            return None
        return SpeculationWish(self.speculate, self.draft_tokens)
