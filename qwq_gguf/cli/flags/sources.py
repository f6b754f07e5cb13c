"""What a command takes for a model."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

__all__ = ["GgufSource", "Revision", "Token"]

GgufSource: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A GGUF file, or one on the Hub: org/name-GGUF[:Q4_K_M]."),
]
Revision: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--revision", metavar="NAME", help="Branch, tag or commit on the Hub.  [default: main]"
    ),
]
Token: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="A Hub token, before HF_TOKEN and the one `hf auth login` saved.",
    ),
]
