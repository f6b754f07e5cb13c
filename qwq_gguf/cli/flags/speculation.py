"""Whether tokens are guessed ahead, and by what: the flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from qwq_gguf.errors import UsageError

if TYPE_CHECKING:
    from qwq_gguf.jobs.speculating import SpeculationWish

__all__ = ["DraftTokens", "Speculate", "guessing_of"]

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


def guessing_of(source: str | None, most: int | None) -> SpeculationWish | None:
    """Both flags as one value. Usage error for the second without the first."""
    from qwq_gguf.jobs.speculating import SpeculationWish

    if source is None:
        if most is not None:
            raise typer.BadParameter("--draft-tokens goes with --speculate")
        return None
    try:
        return SpeculationWish(source, most)
    except UsageError as error:
        raise typer.BadParameter(error.message) from None
