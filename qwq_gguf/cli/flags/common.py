"""The flags that mean the same on every command."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

__all__ = ["AnswerOnly", "Detailed", "Json", "Yes"]

Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, errors too.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("-y", "--yes", help="Do it without asking.")]
AnswerOnly: TypeAlias = Annotated[
    bool, typer.Option("-q", "--quiet", help="Show the answer, and nothing else.")
]
Detailed: TypeAlias = Annotated[
    bool, typer.Option("-v", "--verbose", help="Show the seed and more of what a reply cost.")
]
