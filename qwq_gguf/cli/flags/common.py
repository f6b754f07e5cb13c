"""The flags that mean the same on every command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from qwq_gguf.jobs.events import Report

__all__ = ["Json", "Quiet", "Verbose", "Yes", "report_for"]

Json: TypeAlias = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout, errors too.")
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("-q", "--quiet", help="Say nothing but results and errors.")
]
Verbose: TypeAlias = Annotated[
    bool, typer.Option("-v", "--verbose", help="Say more of what is done.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("-y", "--yes", help="Do it without asking.")]


def report_for(quiet: bool, verbose: bool = False) -> Report:
    """What a job reports to. Usage error for both flags at once."""
    from qwq_gguf.cli.terminal.telling import Bars, Terminal

    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose contradict each other")
    return Bars() if quiet else Terminal()
