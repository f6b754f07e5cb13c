"""Which tools a model may call: the flag."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from qwq_gguf.cli.flags.completion import completing

if TYPE_CHECKING:
    from qwq_gguf.tools import Tool

__all__ = ["Tools", "tools_of"]


def _names() -> Iterable[str]:
    from qwq_gguf.tools import TOOLS

    return TOOLS


Tools: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--tools",
        metavar="NAMES",
        help="Tools the model may call: calculator, date, python (runs what the model writes, "
        "confined), or FILE.py:FUNCTION[,FUNCTION] of your own. Repeatable.",
        show_default=False,
        autocompletion=completing(_names),
    ),
]


def tools_of(values: list[str] | None) -> tuple[Tool, ...]:
    """The tools that all `--tools` name together. A usage error says what there is; ToolError
    for an unknown name, and for python where it cannot be confined.
    """
    if not values:
        return ()
    from qwq_gguf.tools import as_tools, tools_named

    chosen: list[Tool] = []
    # Each flag by itself: the names behind a file are that file's.
    for value in values:
        names = [name for each in value.split(",") if (name := each.strip())]
        known = [tool.spec for tool in chosen]
        chosen += [tool for tool in tools_named(names) if tool.spec not in known]
    return as_tools(chosen)
