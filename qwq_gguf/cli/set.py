"""`qwq-gguf set`: change what a GGUF says about itself."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from qwq_gguf.cli.lazy import HouseCommand, command_app
from qwq_gguf.cli.output import emit, note
from qwq_gguf.cli.set_manifest import Following, tidy_up
from qwq_gguf.errors import NotAGgufError, TemplateError
from qwq_gguf.files import read_given
from qwq_gguf.words import human_bytes

__all__ = ["app"]

app = command_app()

_MAX_TEMPLATE_BYTES = 1 << 20


def _complete_profile(incomplete: str) -> list[str]:
    from qwq_gguf.profiles import profile_names

    return [name for name in profile_names() if name.startswith(incomplete)]


@app.command("set", cls=HouseCommand)
def set_(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help="A GGUF file, anyone's; of several, the first.")
    ],
    profile_name: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Carry this profile's sampling; see `qwq-gguf profiles`.",
            show_default=False,
            autocompletion=_complete_profile,
        ),
    ] = None,
    kv: Annotated[
        list[str] | None,
        typer.Option(
            "--kv",
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change and write nothing.")
    ] = False,
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
    if profile_name is None and not kv and chat_template is None and yarn is None:
        raise typer.BadParameter("say what to set: --profile, --kv, --chat-template or --yarn")
    from qwq_gguf.editing import change_entries, write_entries
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.gguf_file.splits import part_path
    from qwq_gguf.profiles import load_profile

    if not dry_run:
        tidy_up(path)
    file = read_gguf(path)
    if (file.integer("split.no") or 0) > 0:
        first = part_path(path, 0, file.integer("split.count") or 1)
        raise NotAGgufError(
            "is a later file of a model in several, and the first has its keys",
            path=path,
            hint=f"qwq-gguf set {shlex.quote(str(first))} ...",
        )
    changed = change_entries(
        file.metadata,
        profile=None if profile_name is None else load_profile(profile_name),
        kv=kv or (),
        chat_template=None if chat_template is None else _read_template(chat_template),
        yarn=yarn,
    )
    for line in changed.lines:
        emit(line)
    for line in changed.notes:
        note(line if line.startswith("warning:") else f"note: {line}")
    if not changed.lines:
        note(f"{path} says all of this already")
        return
    if dry_run:
        note(f"{path} is as it was (--dry-run)")
        return
    from qwq_gguf.cli.progress import ByteBar

    asked = {
        "profile": profile_name,
        "kv": list(kv or ()),
        "chat_template": None if chat_template is None else chat_template.name,
        "yarn": yarn,
    }
    with ByteBar(path.name) as bar:
        follow = Following(file, {name: value for name, value in asked.items() if value}, bar)
        written = write_entries(file, changed.entries, progress=bar.update, follow=follow)
    how = "changed in place" if written.in_place else "written anew"
    note(f"{path}: {how}, {human_bytes(written.file_bytes)}")
    if written.replaced_link:
        note("note: it was a link, or had another name: what that leads to is as it was")
    if follow.told is not None:
        note(follow.told)


def _read_template(path: Path) -> str:
    try:
        raw = read_given(path, _MAX_TEMPLATE_BYTES)
    except OSError as error:
        raise TemplateError(f"cannot be read: {error.strerror or error}", path=path) from error
    if len(raw) > _MAX_TEMPLATE_BYTES:
        raise TemplateError(
            "is too long for a chat template",
            path=path,
            expected=f"at most {_MAX_TEMPLATE_BYTES} bytes",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TemplateError("is not UTF-8 text", path=path) from error
