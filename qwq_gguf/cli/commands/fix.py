"""`qwq-gguf fix`: what is wrong with how a runtime here runs a model, and the cure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags.chain import ProfileOfFile
from qwq_gguf.cli.flags.common import Json, Yes
from qwq_gguf.cli.flags.completion import completing
from qwq_gguf.cli.flags.sources import Revision, Token
from qwq_gguf.cli.terminal.asking import agreed
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit, emit_json, note, show_table
from qwq_gguf.cli.terminal.telling import Terminal
from qwq_gguf.words import one_line

if TYPE_CHECKING:
    from qwq_gguf.jobs.cures import Examined

__all__ = ["app"]

app = command_app()


def _runtimes() -> Iterable[str]:
    from qwq_gguf.jobs.fixing import RUNTIMES

    return RUNTIMES


@app.command("fix", cls=HouseCommand)
def fix(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]",
            help="A model that Ollama has (qwq, hf.co/org/name:Q4_K_M), a GGUF file, a folder of "
            "LM Studio's, or a GGUF on the Hub.  [default: lists what the runtimes have]",
        ),
    ] = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime",
            metavar="NAME",
            help="ollama or lmstudio.  [default: by where the model lies]",
            autocompletion=completing(_runtimes),
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="OUT", help="The Modelfile.  [default: ./NAME-fixed.Modelfile]"
        ),
    ] = None,
    profile_name: ProfileOfFile = "auto",
    yes: Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a Modelfile that somebody else wrote.")
    ] = False,
    as_json: Json = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Find what a runtime does wrong with a model.

    And cure it: in Ollama and LM Studio. Looks at what the runtime is told (context,
    penalties, order of the samplers, template, thought tags, a bound for the thought), says
    what will come of it, and shows the cure: a Modelfile, LM Studio's settings for the file,
    keys of the GGUF. Nothing changes before you say yes; without a terminal, before --yes. No
    runtime has to be running.

    \b
    Examples:
      qwq-gguf fix                                  what Ollama and LM Studio have here
      qwq-gguf fix qwq                              a model that Ollama has
      qwq-gguf fix qwq --yes && ollama create qwq-fixed -f qwq-fixed.Modelfile
      qwq-gguf fix QwQ-32B-Q4_K_M.gguf              before it is given to Ollama
      qwq-gguf fix ~/.lmstudio/models/qwen/qwq-32b
      qwq-gguf fix hf.co/bartowski/Qwen_QwQ-32B-GGUF:Q4_K_M --json | jq .troubles
    """
    from qwq_gguf.jobs.fixing import Fixing, apply_cures, examine

    if source is None:
        _list(as_json=as_json)
        return
    tell = Terminal()
    found = examine(Fixing(source, runtime, profile_name, out, revision, token), tell)
    if not as_json:
        _show(found)
    changed = False
    if found.cures and (yes or not as_json):
        if agreed("Do all of this?", yes=yes):
            apply_cures(found, tell, force=force)
            changed = True
            for cure in found.cures:
                if cure.use:
                    note(f"now: {cure.use}")
        else:
            note("nothing was changed (--yes does it)")
    if as_json:
        emit_json(found.to_json(changed))


def _list(*, as_json: bool) -> None:
    from qwq_gguf.jobs.runtime_names import models_of_runtimes

    models = models_of_runtimes()
    if as_json:
        emit_json(
            {
                "schema": "qwq-gguf/runtime-models/1",
                "models": [{"name": name, "runtime": runtime} for name, runtime in models],
            }
        )
    elif not models:
        note("Ollama and LM Studio have no model here; `qwq-gguf fix FILE` looks at a GGUF")
    else:
        show_table(("model", "in"), models)
        note(f"qwq-gguf fix {shlex.quote(models[0][0])}")


def _show(found: Examined) -> None:
    note(f"profile {found.profile}: {found.reason}")
    for line in found.notes:
        note(f"note: {line}")
    where = {"ollama": "Ollama", "lmstudio": "LM Studio"}[found.runtime]
    if not found.troubles:
        emit(f"{found.model} in {where}: nothing is wrong")
        return
    emit(f"{found.model} in {where}: what will go wrong\n")
    for trouble in found.troubles:
        emit(f"  {trouble.kind}: {one_line(trouble.what, 300)}")
        emit(f"    {one_line(trouble.leads_to, 300)}")
    for cure in found.cures:
        kind = "keys of" if cure.text is None else "write"
        emit(f"\nthe cure: {kind} {cure.path}")
        for line in cure.lines:
            emit(f"  {one_line(line, 200)}")
    if found.uncured:
        emit("")
    for line in found.uncured:
        emit(f"not cured: {one_line(line, 400)}")
