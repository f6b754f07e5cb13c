"""The flags that mean the same on every command."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

__all__ = ["Json", "Yes"]

Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, errors too.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("-y", "--yes", help="Do it without asking.")]
