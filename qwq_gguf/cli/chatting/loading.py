"""Loading a model where a person may be waiting for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.cli.terminal.keys import quiet_keys
from qwq_gguf.cli.terminal.telling import Bars, Terminal
from qwq_gguf.jobs.contexts import USUAL, ContextWish
from qwq_gguf.jobs.speculating import SpeculationWish

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model

__all__ = ["load_model"]


def load_model(
    path: Path,
    *,
    context: int | None,
    usual_context: int,
    gpu_layers: int | None,
    threads: int | None,
    wish: ContextWish = USUAL,
    guessing: SpeculationWish | None = None,
    quiet: bool = False,
) -> Model:
    """Load a GGUF file, saying how far it is where that takes long, and its notes; see
    `jobs.loading`. What is typed meanwhile is not shown. `quiet` leaves the notes out.
    """
    from qwq_gguf.jobs.loading import load_model as load

    with quiet_keys():
        return load(
            path,
            Bars() if quiet else Terminal(),
            context=context,
            usual_context=usual_context,
            gpu_layers=gpu_layers,
            threads=threads,
            wish=wish,
            guessing=guessing,
        )
