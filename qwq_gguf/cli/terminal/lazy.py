"""A command group that imports a command's module only when that command runs.

`qwq-gguf --help` and shell completion must answer at once, so the group knows the names
and one-line descriptions by itself and never touches the modules to print them.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from qwq_gguf.cli.terminal.early import ctrl_c_raises
from qwq_gguf.cli.terminal.errors import error_boundary
from qwq_gguf.errors import UsageError

__all__ = ["CONTEXT_SETTINGS", "HouseCommand", "LazyCommand", "LazyGroup", "command_app"]

CONTEXT_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 96}


class LazyCommand(NamedTuple):
    """Where a command lives (a module with a Typer `app`) and what the list says of it."""

    module: str
    summary: str


def command_app(**settings: Any) -> typer.Typer:
    """The Typer app of one command module, in the house style.

    Plain help pages: rich's panels cost 0.1 s of imports and reflow the examples.
    """
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings=CONTEXT_SETTINGS,
        **settings,
    )


class HouseCommand(TyperCommand):
    """A command whose usage line reads `SOURCE [OUT]`, without braces. What a job calls a
    wrong use is one here, too.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise typer.BadParameter(error.message, ctx) from None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The parts of the usage line."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class _Commands(MutableMapping[str, Any]):
    """name -> command, importing on the first look at a value."""

    def __init__(self, table: dict[str, LazyCommand]) -> None:
        self._table = table
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module = import_module(self._table[name].module)
            command = get_command(module.app)
            command.name = name
            self._loaded[name] = command
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError("add commands to the table instead")

    def __delitem__(self, name: str) -> None:
        raise TypeError("remove commands from the table instead")

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


class LazyGroup(TyperGroup):
    """A TyperGroup over a table of `LazyCommand`; set `table` in a subclass."""

    table: ClassVar[dict[str, LazyCommand]]

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Commands(self.table)

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the table's order, which is the order a newcomer meets them."""
        return list(self.table)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list without loading any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.table.items()])

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        """Read the arguments, or print help, inside the one error boundary."""
        with error_boundary():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        """Run the command inside it, too."""
        with error_boundary(), ctrl_c_raises():
            return super().invoke(ctx)
