"""`qwq-gguf modelfile`: what Ollama needs to run a GGUF as it should be run."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.chain_flags import complete_profile
from qwq_gguf.cli.lazy import HouseCommand, command_app
from qwq_gguf.cli.output import note
from qwq_gguf.cli.sources import (
    GgufSource,
    Revision,
    Token,
    bring_gguf,
    gguf_header,
    ollama_file,
    ollama_name,
)
from qwq_gguf.errors import ExportError, OutputError

if TYPE_CHECKING:
    from qwq_gguf.export.ollama import Modelfile
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.profiles import Profile

__all__ = ["app", "modelfile_of", "seen_from", "write_beside"]

app = command_app()


@app.command("modelfile", cls=HouseCommand)
def modelfile(
    source: GgufSource,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="OUT", help="Write this file.  [default: stdout]"),
    ] = None,
    profile_name: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Whose parameters; see `qwq-gguf profiles`.",
            autocompletion=complete_profile,
        ),
    ] = "auto",
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Write the Ollama Modelfile of a GGUF.

    Sampling parameters, stops and context come from the profile, which is the one that the
    file carries unless you name another; the prompt comes from the model's own chat
    template. What Ollama cannot express is said on stderr.

    \b
    Examples:
      qwq-gguf modelfile QwQ-Demo-Q4_K_M.gguf
      qwq-gguf modelfile QwQ-Demo-Q4_K_M.gguf -o Modelfile
      ollama create qwq-demo -f Modelfile
      qwq-gguf modelfile bartowski/Qwen_QwQ-32B-GGUF:IQ4_XS    nothing large is downloaded
    """
    from qwq_gguf.output_paths import open_descriptor, refuse_sources
    from qwq_gguf.outputs import write_descriptor, write_file

    to_stdout = out is None or str(out) in ("-", "/dev/stdout")
    target = Path("Modelfile") if out is None or to_stdout else out
    descriptor = None if to_stdout else open_descriptor(target)
    target = target / "Modelfile" if target.is_dir() and not to_stdout else target
    with gguf_header(source, revision, token) as (located, gguf):
        file, first = ollama_file(located)
        origin = ollama_name(located)
        if origin is None:
            bring_gguf(located)
            # What is open already leads somewhere that we do not know.
            origin = seen_from(file, target.parent if descriptor is None else Path())
        made = modelfile_of(gguf, _profile(gguf, profile_name), origin)
        refuse_sources([target], located.parts)
    if to_stdout:
        sys.stdout.write(made.text)
        _explain(made, first)
        note(f"\n{_create(file, target)}   (after writing it with -o Modelfile)")
        return
    if descriptor is None:
        write_file(target, made.text, force=force)
    else:
        write_descriptor(descriptor, made.text, target)
    _explain(made, first)
    note(f"{target} is written. To use it:\n  {_create(file, target)}")


def write_beside(file: Path, target: Path, *, force: bool, profile: Profile | None = None) -> None:
    """Write the Modelfile of a GGUF just made; a Modelfile that is there already stays.

    By `profile`, or the one that the file carries. Nothing here is an error: the GGUF is
    what was asked for.
    """
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.outputs import write_file
    from qwq_gguf.profiles import resolve

    if os.path.lexists(target) and not force:
        note(f"{target} is there already and stays (--force replaces it)")
        return
    try:
        gguf = read_gguf(file)
        chosen = resolve(gguf.metadata).profile if profile is None else profile
        made = modelfile_of(gguf, chosen, seen_from(file, target.parent))
        write_file(target, made.text, force=force)
    except (ExportError, OutputError) as error:
        note(f"note: no Modelfile was written: {error}")
        return
    note(f"{target}: to use it with Ollama,\n  {_create(file, target)}")


def _profile(gguf: GgufFile, name: str) -> Profile:
    from qwq_gguf.profiles import resolve

    resolved = resolve(gguf.metadata, requested=name)
    note(f"profile {resolved.profile.name}: {resolved.reason}")
    for sentence in resolved.notes:
        note(f"note: {sentence}")
    return resolved.profile


def modelfile_of(gguf: GgufFile, profile: Profile, origin: str) -> Modelfile:
    """The Modelfile of a GGUF; `origin` is what its FROM names."""
    from qwq_gguf.export.facts import gguf_facts
    from qwq_gguf.export.ollama import modelfile as render

    return render(profile, gguf_facts(gguf.metadata, file=origin))


def seen_from(file: Path, folder: Path) -> str:
    """The GGUF as seen from the Modelfile's folder, so that both can move together."""
    path = file.expanduser()
    try:
        relative = os.path.relpath(path.resolve(), folder.resolve())
    except ValueError:  # another drive
        return str(path.resolve())
    shown = Path(relative).as_posix()
    return shown if shown.startswith("../") else f"./{shown}"


def _explain(made: Modelfile, first: str | None) -> None:
    for sentence in made.unsaid:
        note(f"not said: {sentence}")
    if first is not None:
        note(first)


def _create(file: Path, target: Path) -> str:
    stem = file.name.removesuffix(".gguf").lower()
    name = re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._") or "model"
    return f"ollama create {name} -f {shlex.quote(str(target))}"
