"""`qwq-gguf modelfile`: what Ollama needs to run a GGUF as it should be run."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
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
    ollama_name,
)
from qwq_gguf.errors import ExportError, OutputError
from qwq_gguf.files import user_path

if TYPE_CHECKING:
    from qwq_gguf.exporters.ollama import Modelfile
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.profiles import Profile, Resolved

__all__ = ["app", "modelfile_of", "origins_of", "write_beside"]

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
    from qwq_gguf.chat.template import one_budget
    from qwq_gguf.exporters.signature import sign, signature
    from qwq_gguf.output_paths import open_descriptor, refuse_sources
    from qwq_gguf.outputs import write_descriptor, write_file

    to_stdout = out is None or str(out) in ("-", "/dev/stdout")
    target = Path("Modelfile") if out is None or to_stdout else out
    descriptor = None if to_stdout else open_descriptor(target)
    target = target / "Modelfile" if target.is_dir() and not to_stdout else target
    with gguf_header(source, revision, token) as (located, gguf), one_budget():
        name = ollama_name(located)
        if name is None:
            bring_gguf(located)
        # What is open already leads somewhere that we do not know.
        folder = target.parent if descriptor is None else Path()
        resolved = _resolve(gguf, profile_name)
        origins = origins_of(located.parts, folder) if name is None else (name,)
        made = modelfile_of(gguf, resolved.profile, origins)
        refuse_sources([target], located.parts)
    text = sign("Modelfile", made.text, signature(resolved.profile, resolved.reason))
    create = _create(located.path, target)
    if to_stdout:
        sys.stdout.write(text)
        _explain(made)
        note(f"\n{create}   (after writing it with -o Modelfile)")
        return
    if descriptor is None:
        write_file(target, text, force=force)
    else:
        write_descriptor(descriptor, text, target)
    _explain(made)
    note(f"{target} is written. To use it:\n  {create}")


def write_beside(
    files: Sequence[Path], target: Path, *, force: bool, profile: Profile | None = None
) -> None:
    """Write the Modelfile of a GGUF just made, in one file or several; one that is there
    already stays.

    By `profile`, or the one that the file carries. Nothing here is an error: the GGUF is
    what was asked for.
    """
    from qwq_gguf.exporters.signature import sign, signature
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.outputs import write_file
    from qwq_gguf.profiles import resolve

    if os.path.lexists(target) and not force:
        note(f"{target} is there already and stays (--force replaces it)")
        return
    try:
        gguf = read_gguf(files[0])
        resolved = resolve(gguf.metadata)
        chosen, why = resolved.profile, resolved.reason
        if profile is not None:
            chosen, why = profile, "asked for"
        made = modelfile_of(gguf, chosen, origins_of(files, target.parent))
        write_file(target, sign("Modelfile", made.text, signature(chosen, why)), force=force)
    except (ExportError, OutputError) as error:
        note(f"note: no Modelfile was written: {error}")
        return
    note(f"{target}: to use it with Ollama,\n  {_create(files[0], target)}")


def _resolve(gguf: GgufFile, name: str) -> Resolved:
    from qwq_gguf.profiles import resolve

    resolved = resolve(gguf.metadata, requested=name)
    note(f"profile {resolved.profile.name}: {resolved.reason}")
    for sentence in resolved.notes:
        note(f"note: {sentence}")
    return resolved


def modelfile_of(gguf: GgufFile, profile: Profile, origins: Sequence[str]) -> Modelfile:
    """The Modelfile of a GGUF; `origins` are what FROM names, a line each."""
    from qwq_gguf.exporters.facts import gguf_facts
    from qwq_gguf.exporters.ollama import modelfile as render

    return render(profile, gguf_facts(gguf.metadata, file=origins[0], parts=origins))


def origins_of(files: Sequence[Path], folder: Path) -> tuple[str, ...]:
    """All files of a GGUF as seen from a folder."""
    return tuple(seen_from(file, folder) for file in files)


def seen_from(file: Path, folder: Path) -> str:
    """The GGUF as seen from the Modelfile's folder, so that both can move together.

    By its own name, also where that is a link: the Hub's cache has blobs behind it, and the
    parts of a split model are found by their names.
    """
    path = user_path(file)
    path = path.parent.resolve() / path.name
    try:
        relative = os.path.relpath(path, folder.resolve())
    except ValueError:  # another drive
        return str(path)
    shown = Path(relative).as_posix()
    return shown if shown.startswith("../") else f"./{shown}"


def _explain(made: Modelfile) -> None:
    for sentence in made.unsaid:
        note(f"not said: {sentence}")


def _create(file: Path, target: Path) -> str:
    from qwq_gguf.exporters.facts import model_of
    from qwq_gguf.exporters.ollama import model_name

    name = model_name(model_of(file.name))
    return f"ollama create {name} -f {shlex.quote(str(target))}"
