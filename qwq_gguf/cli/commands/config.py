"""`qwq-gguf config`: what is set for good, and by whom."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from qwq_gguf.cli.flags.common import Json
from qwq_gguf.cli.terminal.defaults import check_commands, defaults_of
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note, show_table
from qwq_gguf.jobs.configuration import (
    GENERAL,
    Configuration,
    Said,
    configuration_path,
    read_configuration,
)
from qwq_gguf.jobs.kept_models import models_folder

__all__ = ["app"]

app = command_app()


@app.command("config", cls=HouseCommand)
def config(
    path: Annotated[
        bool, typer.Option("--path", help="Where the configuration file is, and nothing else.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what is set for good, and where.

    A flag that is typed goes before all of it, a variable of the environment before the file
    (~/.config/qwq-gguf/config.toml, or QWQ_GGUF_CONFIG). The whole file is checked.

    \b
    Examples:
      qwq-gguf config
      qwq-gguf config --json
      $EDITOR "$(qwq-gguf config --path)"
      QWQ_GGUF_CHAT_CTX=32768 qwq-gguf config
    """
    if path:
        emit(str(configuration_path(os.environ)))
        return
    configuration = read_configuration()
    rows = list(_rows(configuration))
    if as_json:
        emit_json(
            {
                "schema": "qwq-gguf/config/1",
                "path": str(configuration.path),
                "is_there": configuration.is_there,
                "settings": [
                    {"setting": name, "value": said.value, "from": said.origin}
                    for name, said in rows
                ],
            }
        )
        return
    show_table(
        ("setting", "value", "from"), [(name, said.value, said.origin) for name, said in rows]
    )
    if not configuration.is_there:
        note(f"{configuration.path} is not there; docs/configuration.md has an example")


def _rows(configuration: Configuration) -> Iterator[tuple[str, Said]]:
    usual = {
        "profile": "auto",
        "threads": "all cores",
        "models": str(models_folder(configuration)),
        "theme": "auto",
    }
    for name in GENERAL:
        yield name, configuration.general.get(name, Said(usual[name], "the default"))
    for alias, said in configuration.aliases.items():
        yield f"aliases.{alias}", said
    commands = dict(_commands())
    check_commands(configuration, list(commands))
    for command, parameters in commands.items():
        found = defaults_of(command, parameters, configuration, os.environ)
        names = {each.name: each for each in parameters}
        for name, said in found.items():
            flag = next(each for each in names[name].opts if each.startswith("--"))
            if said in configuration.general.values():
                continue  # told above
            yield f"{command} {flag}", said


def _commands() -> Iterator[tuple[str, list[Any]]]:
    """Every command with its parameters: `chat`, `eval thinking`."""
    from typer.main import get_command

    from qwq_gguf.cli.app import app as program

    whole: Any = get_command(program)
    for name, command in whole.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command.params
        else:
            for word, each in inner.items():
                yield f"{name} {word}", each.params
