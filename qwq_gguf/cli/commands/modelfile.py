"""`qwq-gguf modelfile`: what Ollama needs to run a GGUF as it should be run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags import thoughts as thought_flags
from qwq_gguf.cli.flags.chain import complete_profile
from qwq_gguf.cli.flags.sources import GgufSource, Revision, Token
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import note
from qwq_gguf.cli.terminal.telling import Terminal

if TYPE_CHECKING:
    from qwq_gguf.exporters.ollama import Modelfile
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.profiles import Resolved

__all__ = ["app"]

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
    effort: thought_flags.Effort = None,
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
    from qwq_gguf.files.naming import open_descriptor, refuse_sources
    from qwq_gguf.files.writing import write_descriptor, write_file
    from qwq_gguf.jobs.fetching import bring_gguf, gguf_header, ollama_name
    from qwq_gguf.jobs.modelfiles import create_command, modelfile_of, origins_of

    to_stdout = out is None or str(out) in ("-", "/dev/stdout")
    target = Path("Modelfile") if out is None or to_stdout else out
    descriptor = None if to_stdout else open_descriptor(target)
    target = target / "Modelfile" if target.is_dir() and not to_stdout else target
    with gguf_header(source, revision, token) as (located, gguf), one_budget():
        name = ollama_name(located)
        if name is None:
            bring_gguf(located, Terminal())
        # What is open already leads somewhere that we do not know.
        folder = target.parent if descriptor is None else Path()
        resolved = _resolve(gguf, profile_name, effort)
        origins = origins_of(located.parts, folder) if name is None else (name,)
        made = modelfile_of(gguf, resolved.profile, origins)
        refuse_sources([target], located.parts)
    text = sign("Modelfile", made.text, signature(resolved.profile, resolved.reason))
    create = create_command(located.path, target)
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


def _resolve(gguf: GgufFile, name: str, effort: str | None) -> Resolved:
    from qwq_gguf.profiles import resolve, thoughts_of

    resolved = resolve(gguf.metadata, requested=name)
    if effort is not None:
        resolved = replace(resolved, profile=resolved.profile.with_effort(effort))
        if notice := thoughts_of(gguf.metadata, resolved.profile).notice:
            note(f"note: {notice}")
    note(f"profile {resolved.profile.name}: {resolved.reason}")
    for sentence in resolved.notes:
        note(f"note: {sentence}")
    return resolved


def _explain(made: Modelfile) -> None:
    for sentence in made.unsaid:
        note(f"not said: {sentence}")
