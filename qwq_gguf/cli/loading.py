"""Loading a model where a person may be waiting for it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.cli.keys import quiet_keys
from qwq_gguf.cli.output import note, stderr_console
from qwq_gguf.words import one_line

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model

__all__ = ["load_model"]

_PATIENCE = 0.3  # seconds after which a person wants to see something


def load_model(
    path: Path,
    *,
    context: int | None,
    usual_context: int,
    gpu_layers: int | None,
    threads: int | None,
) -> Model:
    """Load a GGUF file, saying how far it is where that takes long, and its notices.

    `context` is what the user asked for; else it is `usual_context`, or the model's own if
    that is smaller.
    """
    from rich.text import Text

    from qwq_gguf.engine.model import Model
    from qwq_gguf.gguf_file import read_gguf

    if context is None:
        gguf = read_gguf(path)
        trained = gguf.integer(f"{gguf.architecture}.context_length")
        context = min(usual_context, trained or usual_context)

    began = time.perf_counter()
    status = stderr_console().status("")

    def show(fraction: float) -> None:
        if time.perf_counter() - began > _PATIENCE:
            # As a str it would be read as markup.
            status.update(Text(f"loading {one_line(path.name)}: {100 * fraction:.0f} %"))
            status.start()

    with quiet_keys():
        try:
            model = Model.load(
                path, context=context, gpu_layers=gpu_layers, threads=threads, progress=show
            )
        finally:
            status.stop()
    for notice in model.notices:
        note(f"note: {notice}")
    return model
