"""A command group that imports a command's module only when that command runs.

`qwq-gguf --help` and shell completion must answer at once, so the group knows the names
and one-line descriptions by itself and never touches the modules to print them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from qwq_gguf.cli.terminal.costs import Costs
from qwq_gguf.cli.terminal.early_interrupt import ctrl_c_raises
from qwq_gguf.cli.terminal.errors import error_boundary
from qwq_gguf.cli.terminal.manner import begin, manner
from qwq_gguf.cli.terminal.refusal import Refusal
from qwq_gguf.errors import UsageError

__all__ = ["CONTEXT_SETTINGS", "HouseCommand", "LazyCommand", "LazyGroup", "command_app"]

CONTEXT_SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 96}


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


def _hears(name: str) -> Callable[[bool], bool]:
    def hear(value: bool) -> bool:
        if value:
            setattr(manner, name, True)
        return value

    return hear


def _everywhere(
    quiet: Annotated[
        bool,
        typer.Option(
            "-q",
            "--quiet",
            help="Say nothing but results and errors.",
            callback=_hears("quiet"),
            expose_value=False,
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "-v",
            "--verbose",
            help="Say more: what libraries log, the time and memory it took.",
            callback=_hears("verbose"),
            expose_value=False,
        ),
    ] = False,
) -> None:
    """The flags of every command; one that does more for a flag than to speak so has its own."""


def _flags_of_all() -> list[Any]:
    bare = typer.Typer(add_completion=False)
    bare.command()(_everywhere)
    return list(get_command(bare).params)


class HouseCommand(TyperCommand):
    """A command whose usage line reads `SOURCE [OUT]`, without braces, and that has `-q` and
    `-v` as every other. What a job calls a wrong use is one here, too.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        taken = {parameter.name for parameter in self.params}
        self.params += [flag for flag in _flags_of_all() if flag.name not in taken]

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Read the arguments; what they leave open is as the user's configuration has it."""
        if not set(args) & set(CONTEXT_SETTINGS["help_option_names"]):
            extra["default_map"] = self._configured(info_name, parent)
        return super().make_context(info_name, args, parent, **extra)

    def _configured(self, info_name: str | None, parent: Any) -> dict[str, Any]:
        words = [info_name or ""]
        while parent is not None and parent.parent is not None:
            words.insert(0, parent.info_name or "")
            parent = parent.parent
        from qwq_gguf.cli.terminal.defaults import apply_theme, defaults_of
        from qwq_gguf.jobs.configuration import read_configuration

        configuration = read_configuration()
        apply_theme(configuration)
        found = defaults_of(" ".join(words), self.params, configuration, os.environ)
        return {name: said.value for name, said in found.items()}

    def invoke(self, ctx: Any) -> Any:
        """Run it."""
        if manner.quiet and manner.verbose:
            raise typer.BadParameter("--quiet and --verbose contradict each other", ctx)
        try:
            with Costs(manner.verbose):
                return super().invoke(ctx)
        except UsageError as error:
            raise Refusal(error, ctx) from None

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The parts of the usage line."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("{", "").replace("}", "") for piece in pieces]  # {MODEL}...


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
        begin(list(arguments[1] if len(arguments) > 1 else named.get("args", ())))
        with error_boundary():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        """Run the command inside it, too."""
        with error_boundary(), ctrl_c_raises():
            return super().invoke(ctx)
