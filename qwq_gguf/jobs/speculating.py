"""Guessing tokens ahead, as a user asks for it, and what that means for a loaded model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.events import Activity, Progress, Report, activity

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model

__all__ = ["FROM_TEXT", "SpeculationWish", "speculate"]

FROM_TEXT = "text"


@dataclass(frozen=True, slots=True)
class SpeculationWish:
    """`source` is `text`, or the GGUF file of a smaller model; at most `most` guesses at once.

    UsageError for a number that makes no sense.
    """

    source: str
    most: int | None = None

    def __post_init__(self) -> None:
        from qwq_gguf.engine.speculation.lengths import MOST_GUESSES

        if self.most is not None and not 1 <= self.most <= MOST_GUESSES:
            raise UsageError(
                "--draft-tokens makes no sense", found=self.most, expected=f"1 to {MOST_GUESSES}"
            )


def speculate(model: Model, wish: SpeculationWish, report: Report) -> None:
    """Let the model's sessions guess ahead. A draft model is loaded, and closed with it.

    ModelError where it cannot be, with what differs; what loading a model raises.
    """
    from qwq_gguf.engine.model import Model
    from qwq_gguf.engine.speculation.speculation import Speculation

    if wish.source == FROM_TEXT:
        model.speculate(Speculation(model, most=wish.most))
        return
    path = Path(wish.source)

    def show(fraction: float) -> None:
        report(Progress(Activity.LOADING, fraction, 1.0, path.name))

    with activity(report, Activity.LOADING, path.name, 1):
        draft = Model.load(
            path,
            context=model.context_size,
            gpu_layers=model.gpu_layers,
            threads=model.threads,
            progress=show,
        )
    try:
        model.speculate(Speculation(model, draft=draft, most=wish.most))
    except BaseException:
        draft.close()
        raise
