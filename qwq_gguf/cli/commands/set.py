"""`qwq-gguf set`: change what a GGUF says about itself."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qwq_gguf.cli.flags.common import Json
from qwq_gguf.cli.flags.completion import completing
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note
from qwq_gguf.cli.terminal.telling import Terminal
from qwq_gguf.jobs.output_paths import modelfile_beside
from qwq_gguf.words import human_bytes

if TYPE_CHECKING:
    from qwq_gguf.jobs.changing import Changed

__all__ = ["app"]

app = command_app()


def _profiles() -> Iterable[str]:
    from qwq_gguf.profiles import profile_names

    return profile_names()


@app.command("set", cls=HouseCommand)
def set_(
    path: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A GGUF file, anyone's; of several, the first.")
    ],
    profile_name: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Carry this profile's sampling; see `qwq-gguf profiles`.",
            show_default=False,
            autocompletion=completing(_profiles),
        ),
    ] = None,
    kv: Annotated[
        list[str] | None,
        typer.Option(
            "--kv",
            "--override-kv",
            metavar="KEY=VALUE",
            help="Set a key; KEY=TYPE:VALUE (int, float, bool, str) for a new one. Repeatable.",
            show_default=False,
        ),
    ] = None,
    chat_template: Annotated[
        Path | None,
        typer.Option(
            "--chat-template",
            metavar="JINJA",
            help="Carry the chat template in this file.",
            show_default=False,
        ),
    ] = None,
    yarn: Annotated[
        float | None,
        typer.Option(
            "--yarn",
            metavar="FACTOR",
            help="Stretch the context by YaRN; 1 takes it out again.",
            show_default=False,
        ),
    ] = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Put right special tokens that are known to be wrong."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change and write nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Change what a GGUF says about itself.

    Its weights stay. Files made by this program have room for it and change at once;
    others are written anew beside themselves, which takes as much space again while it
    lasts. Whatever interrupts it, the file is the old one or the new one.

    \b
    Examples:
      qwq-gguf set model.gguf --profile qwq              llama-server and Ollama follow it
      qwq-gguf set model.gguf --kv general.sampling.temp=0.7
      qwq-gguf set model.gguf --chat-template fixed.jinja --dry-run
      qwq-gguf set model.gguf --yarn 4                   for prompts beyond the usual length
    """
    if profile_name is None and not kv and chat_template is None and yarn is None and not repair:
        raise typer.BadParameter(
            "say what to set: --profile, --kv, --chat-template, --yarn or --repair"
        )
    from qwq_gguf.jobs.changing import Changing, change_keys

    tell = Terminal()
    asked = Changing(path, profile_name, tuple(kv or ()), chat_template, yarn, repair)
    decided = None if as_json else show_change
    changed = change_keys(asked, tell, dry_run=dry_run, decided=decided)
    if as_json:
        emit_json(_to_json(path, changed))
        return
    if not changed.lines:
        note(f"{path} says all of this already")
    elif changed.written is None:
        note(f"{path} is as it was (--dry-run)")
    else:
        how = "changed in place" if changed.written.in_place else "written anew"
        note(f"{path}: {how}, {human_bytes(changed.written.file_bytes)}")
        if changed.written.replaced_link:
            note("note: it was a link, or had another name: what that leads to is as it was")
        if changed.manifest is not None:
            tell(changed.manifest)
        beside = modelfile_beside(path)
        if beside.is_file():
            anew = shlex.join(["qwq-gguf", "modelfile", str(path), "-o", str(beside), "--force"])
            note(f"note: {beside} says what it said; to write it anew:\n  {anew}")


def _to_json(path: Path, changed: Changed) -> dict[str, Any]:
    written = changed.written
    return {
        "schema": "qwq-gguf/set/1",
        "path": str(path),
        "changes": list(changed.lines),
        "notes": list(changed.notes),
        "written": written is not None,
        "in_place": written is not None and written.in_place,
        "file_bytes": None if written is None else written.file_bytes,
    }


def show_change(lines: Sequence[str], notes: Sequence[str]) -> None:
    """What will be said otherwise, before it is."""
    for line in lines:
        emit(line)
    for line in notes:
        note(line if line.startswith("warning:") else f"note: {line}")
