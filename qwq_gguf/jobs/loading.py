"""Loading a model for its profile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import NoRoomError
from qwq_gguf.jobs.contexts import USUAL, ContextWish
from qwq_gguf.jobs.events import Activity, Note, Progress, Report, activity
from qwq_gguf.jobs.speculating import SpeculationWish, speculate

if TYPE_CHECKING:
    from qwq_gguf.engine.llama.context_settings import ContextSettings
    from qwq_gguf.engine.model import Model
    from qwq_gguf.gguf_file import GgufFile

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
    """Load a GGUF file; its notes are reported.

    `context` is what the user asked for; else it is `usual_context`, or the model's own if
    that is smaller. `wish` says how it is kept.
    """
    from qwq_gguf.gguf_file import read_gguf

    gguf = read_gguf(path)
    settings = wish.settings(gguf.metadata)
    if wish.automatic:
        model = _load_fitting(
            gguf, report, usual_context, context, gpu_layers, threads, wish, settings
        )
    else:
        if context is None:
            trained = gguf.integer(f"{gguf.architecture}.context_length")
            if settings.yarn is not None:
                trained = settings.yarn.length
            context = min(usual_context, trained or usual_context)
        model = _load(gguf.path, report, context, gpu_layers, threads, settings, wish)
        for note in model.notes:
            report(Note(note))
    if guessing is not None:
        try:
            speculate(model, guessing, report)
        except BaseException:
            model.close()
            raise
    return model


def _load_fitting(
    gguf: GgufFile,
    report: Report,
    usual: int,
    context: int | None,
    gpu_layers: int | None,
    threads: int | None,
    wish: ContextWish,
    settings: ContextSettings,
) -> Model:
    """The same, with what is left to us as it fits this machine; what does not fit after all is
    followed by the next smaller plan. NoRoomError where none is left.
    """
    from qwq_gguf.engine.llama.kv_context import KvContext
    from qwq_gguf.jobs.fitting import fitting_plans

    if context is None and "context" not in wish.automatic:
        context = min(usual, gguf.integer(f"{gguf.architecture}.context_length") or usual)
    kind = None if "kv_type" in wish.automatic else settings.keys
    layers = None if gpu_layers is None or gpu_layers < 0 else gpu_layers
    last: NoRoomError | None = None
    for plan in fitting_plans(gguf, usual=usual, context=context, kv_type=kind, gpu_layers=layers):
        kept = settings
        if "kv_type" in wish.automatic:
            kept = replace(settings, keys=plan.kind, values=plan.kind)
        on_cards = plan.gpu_layers if plan.cards else gpu_layers
        told = f"{plan.context:,} tokens of context in {kept.keys.name.lower()}"
        if plan.cards:
            told += f", {plan.gpu_layers} of {plan.layers} layers on the card"
        try:
            planned = replace(wish, cpu_experts=plan.cpu_experts)
            model = _load(gguf.path, report, plan.context, on_cards, threads, kept, planned)
            try:
                KvContext(model).close()  # whether there is room for it only shows when it is made
            except BaseException:
                model.close()
                raise
        except NoRoomError as problem:
            last = problem
            report(Note(f"there is no room for {told}: the next smaller plan is tried"))
            continue
        for note in (told, *model.notes):
            report(Note(note))
        return model
    raise last or NoRoomError(
        "this model does not fit into this machine's memory",
        path=gguf.path,
        hint=f"qwq-gguf fit {gguf.path} shows what would",
    )


def _load(
    path: Path,
    report: Report,
    context: int,
    gpu_layers: int | None,
    threads: int | None,
    settings: ContextSettings,
    wish: ContextWish,
) -> Model:
    from qwq_gguf.engine.model import Model

    def show(fraction: float) -> None:
        report(Progress(Activity.LOADING, fraction, 1.0, path.name))

    with activity(report, Activity.LOADING, path.name, 1):
        return Model.load(
            path,
            context=context,
            gpu_layers=gpu_layers,
            cpu_experts=wish.cpu_experts,
            threads=threads,
            settings=settings,
            workers=wish.workers,
            progress=show,
        )
