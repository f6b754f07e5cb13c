"""Loading a model for its profile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.jobs.contexts import USUAL, ContextWish
from qwq_gguf.jobs.events import Activity, Progress, Remark, Report, activity
from qwq_gguf.jobs.speculating import SpeculationWish, speculate

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model

__all__ = ["load_model"]


def load_model(
    path: Path,
    report: Report,
    *,
    usual_context: int,
    context: int | None = None,
    gpu_layers: int | None = None,
    threads: int | None = None,
    wish: ContextWish = USUAL,
    guessing: SpeculationWish | None = None,
) -> Model:
    """Load a GGUF file; its notices are remarks.

    `context` is what the user asked for; else it is `usual_context`, or the model's own if
    that is smaller. `wish` says how it is kept.
    """
    from qwq_gguf.engine.model import Model
    from qwq_gguf.gguf_file import read_gguf

    gguf = read_gguf(path)
    settings = wish.settings(gguf.metadata)
    if context is None:
        trained = gguf.integer(f"{gguf.architecture}.context_length")
        if settings.yarn is not None:
            trained = settings.yarn.length
        context = min(usual_context, trained or usual_context)

    def show(fraction: float) -> None:
        report(Progress(Activity.LOADING, fraction, 1.0, path.name))

    with activity(report, Activity.LOADING, path.name, 1):
        model = Model.load(
            path,
            context=context,
            gpu_layers=gpu_layers,
            threads=threads,
            settings=settings,
            progress=show,
        )
    if guessing is not None:
        try:
            speculate(model, guessing, report)
        except BaseException:
            model.close()
            raise
    for notice in model.notices:
        report(Remark(notice))
    return model
