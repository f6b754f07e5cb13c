"""`qwq-gguf modelfile`: what Ollama needs to run a GGUF as it should be run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from qwq_gguf.cli.flags import thoughts as thought_flags
from qwq_gguf.cli.flags.chain import ProfileOfFile
from qwq_gguf.cli.flags.common import Json
from qwq_gguf.cli.flags.sources import GgufSource, Revision, Token
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json, note
from qwq_gguf.cli.terminal.telling import Terminal

__all__ = ["app"]

app = command_app()


@app.command("modelfile", cls=HouseCommand)
def modelfile(
    source: GgufSource,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="OUT", help="Write this file.  [default: stdout]"),
    ] = None,
    profile_name: ProfileOfFile = "auto",
    effort: thought_flags.Effort = None,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    as_json: Json = False,
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
    from qwq_gguf.jobs.modelfiles import make_modelfile

    to_stdout = out is None or str(out) in ("-", "/dev/stdout")
    made = make_modelfile(
        source,
        Terminal(),
        out=None if to_stdout else out,
        profile=profile_name,
        effort=effort,
        force=force,
        revision=revision,
        token=token,
    )
    if as_json:
        emit_json(
            {
                "schema": "qwq-gguf/modelfile/1",
                "path": None if made.path is None else str(made.path),
                "text": made.text,
                "create": made.create,
                "unsaid": list(made.unsaid),
            }
        )
        return
    if made.path is None:
        sys.stdout.write(made.text)
    for sentence in made.unsaid:
        note(f"not said: {sentence}")
    if made.path is None:
        note(f"\n{made.create}   (after writing it with -o Modelfile)")
    else:
        note(f"{made.path} is written. To use it:\n  {made.create}")
