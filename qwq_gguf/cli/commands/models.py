"""`qwq-gguf models`: what `run` has kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from qwq_gguf.cli.flags.common import Json, Yes
from qwq_gguf.cli.flags.completion import completing
from qwq_gguf.cli.terminal.asking import agreed
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note, show_table
from qwq_gguf.errors import NotAGgufError
from qwq_gguf.jobs.configuration import read_configuration
from qwq_gguf.jobs.kept_models import Kept, find_kept, forget, kept_models, models_folder
from qwq_gguf.words import did_you_mean, human_bytes, one_line

__all__ = ["app"]

app = command_app()


def _kept() -> Iterable[str]:
    return [kept.name for kept in kept_models(models_folder(read_configuration()))]


@app.command("models", cls=HouseCommand)
def models(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="One of them.",
            show_default=False,
            autocompletion=completing(_kept),
        ),
    ] = None,
    paths: Annotated[
        bool, typer.Option("--path", "--paths", help="The path of each file, and nothing else.")
    ] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Remove NAME; asks before.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """List the models that run has kept.

    With their sizes, and when each was last used. They lie in one folder, whose place a
    configuration may change (`models = "..."`). A GGUF of the Hub lies in the Hub's own cache:
    removing it here only forgets it, and `hf cache` removes the file.

    \b
    Examples:
      qwq-gguf models
      qwq-gguf models QwQ-32B-Q4_K_M --path
      qwq-gguf models QwQ-32B-Q4_K_M --remove
    """
    folder = models_folder(read_configuration())
    if name is None:
        if remove:
            raise typer.BadParameter("--remove goes with NAME")
        found = kept_models(folder)
    else:
        found = (_named(name),)
    if remove:
        _remove(found[0], yes=yes, as_json=as_json)
    elif as_json:
        emit_json(
            {
                "schema": "qwq-gguf/models/1",
                "folder": str(folder),
                "models": [kept.to_json() for kept in found],
            }
        )
    elif paths:
        for kept in found:
            emit(str(kept.path))
    elif not found:
        note(f"nothing is kept yet in {folder}: `qwq-gguf run MODEL` begins")
    else:
        now = datetime.now(UTC)
        show_table(
            ("model", "size", "last used", "of"),
            [
                (kept.name, _size(kept), _ago(kept.used, now), one_line(kept.source, 80))
                for kept in found
            ],
            right="size",
        )
        note(f"in {folder}")


def _named(name: str) -> Kept:
    folder = models_folder(read_configuration())
    kept = find_kept(folder, name)
    known = kept_models(folder)
    kept = kept or next((each for each in known if each.name == name), None)
    if kept is None:
        names = [each.name for each in known]
        raise NotAGgufError(
            "no model of this name is kept", path=name, hint=did_you_mean(name, names)
        )
    return kept


def _remove(kept: Kept, *, yes: bool, as_json: bool) -> None:
    folder = models_folder(read_configuration())
    size = human_bytes(kept.nbytes) if kept.ours else "its file stays in the Hub's cache"
    gone: tuple[Path, ...] = ()
    if agreed(f"Remove {one_line(kept.name, 160)} ({size})?", yes=yes):
        gone = forget(folder, kept)
    if as_json:
        emit_json({"schema": "qwq-gguf/removed/1", "removed": [str(path) for path in gone]})
    elif not gone:
        note("nothing was removed (--yes does it without asking)")
    else:
        note(f"{kept.name} is removed ({size})")


def _size(kept: Kept) -> str:
    if kept.begun:
        return "not made yet"
    return human_bytes(kept.nbytes) if kept.path.is_file() else "gone"


def _ago(used: datetime | None, now: datetime) -> str:
    if used is None:
        return "never"
    days = (now.date() - used.astimezone(UTC).date()).days
    return "today" if days <= 0 else "yesterday" if days == 1 else f"{days} days ago"
