"""What a model reads to be measured, and on what it computes that: the flags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from qwq_gguf.cli.flags.context import CountedLayers, Threads

__all__ = ["Computed", "Texts"]

Text: TypeAlias = Annotated[
    Path | None, typer.Option("--text", metavar="FILE", help="A text to read, in windows.")
]
Traces: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--traces",
        metavar="FILE",
        help="Replies to read, from `eval thinking --traces --out FILE`.",
    ),
]
Windows: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--chunks",
        metavar="N",
        min=1,
        help="Windows, or replies, at most.  [default: all]",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class Texts:
    """What is read, and how much of it."""

    text: Text = None
    traces: Traces = None
    windows: Windows = None


@dataclass(frozen=True, slots=True)
class Computed:
    """What computes."""

    gpu_layers: CountedLayers = None
    threads: Threads = None
