"""How much memory `quantize` may take."""

from __future__ import annotations

from typing import Annotated

import typer

from qwq_gguf.cli.sizes import read_size

__all__ = ["MaxMemory", "read_memory"]

MaxMemory = Annotated[
    str | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        help="Take no more memory than this, all in all: 512M, 1G.  [default: 768M]",
        show_default=False,
    ),
]


def read_memory(size: str | None) -> int | None:
    """The flag in bytes, by powers of 1024; None for the default."""
    return None if size is None else read_size(size, "--max-memory", thousand=1024)
