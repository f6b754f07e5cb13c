"""`qwq-gguf export`: a profile in the form of another runtime."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from qwq_gguf.cli.flags import thoughts as thought_flags
from qwq_gguf.cli.flags.chain import ProfileOfFile
from qwq_gguf.cli.flags.common import Json
from qwq_gguf.cli.flags.completion import completing
from qwq_gguf.cli.flags.sources import GgufSource, Revision, Token
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json, note
from qwq_gguf.cli.terminal.telling import Terminal

__all__ = ["app"]

app = command_app()


def _runtimes() -> Iterable[str]:
    from qwq_gguf.exporters.runtimes import EXPORTERS

    return EXPORTERS


@app.command("export", cls=HouseCommand)
def export(
    runtime: Annotated[
        str,
        typer.Argument(
            metavar="RUNTIME",
            help="ollama, lmstudio, llama-server, vllm, transformers, text-generation-webui or "
            "openwebui.",
            autocompletion=completing(_runtimes),
        ),
    ],
    source: GgufSource,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Write here.  [default: ./RUNTIME]"),
    ] = None,
    profile_name: ProfileOfFile = "auto",
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="TEXT", help="A system prompt (ollama, lmstudio)."),
    ] = None,
    effort: thought_flags.Effort = None,
    hub: Annotated[
        bool, typer.Option("--hub", help="ollama: the files for a repository on the Hub.")
    ] = False,
    install: Annotated[
        bool, typer.Option("--install", help="lmstudio: put model and settings in its folders.")
    ] = False,
    user_repo: Annotated[
        str | None,
        typer.Option("--user-repo", metavar="PUBLISHER/MODEL", help="lmstudio: its place there."),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="With --install: copy the file instead of linking it.")
    ] = False,
    fit: Annotated[
        bool,
        typer.Option(
            "--fit", help="Context, cache and layers on the card as they fit this machine."
        ),
    ] = False,
    cards: Annotated[
        str | None,
        typer.Option(
            "--cards",
            metavar="NxCARD",
            help="vllm: divide the model over these cards: 8x80GB, or 2x8x80GB for two machines.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    as_json: Json = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Write a model's settings for a runtime.

    What the runtime has no words for is said on stderr; docs/runtimes.md has the table of
    what each can do.

    \b
    Examples:
      qwq-gguf export llama-server QwQ-Demo-Q4_K_M.gguf
      qwq-gguf export vllm QwQ-32B-Q4_K_M.gguf -o serving --profile qwen-reference
      qwq-gguf export ollama QwQ-32B-Q4_K_M.gguf --hub
      qwq-gguf export llama-server QwQ-32B-Q4_K_M.gguf --fit
      qwq-gguf export vllm QwQ-32B-Q4_K_M.gguf --cards 2x4xrtx3090
      qwq-gguf export lmstudio QwQ-32B-Q4_K_M.gguf --install --user-repo qwen/qwq-32b
    """
    from qwq_gguf.jobs.exporting import Exporting, export_settings

    made = export_settings(
        Exporting(
            runtime,
            source,
            out=out,
            profile=profile_name,
            effort=effort,
            system=system,
            hub=hub,
            install=install,
            user_repo=user_repo,
            copy=copy,
            fit=fit,
            cards=cards,
            force=force,
            revision=revision,
            token=token,
        ),
        Terminal(),
    )
    if as_json:
        emit_json(
            {
                "schema": "qwq-gguf/export/1",
                "runtime": runtime,
                "profile": made.profile.name,
                "files": [str(path) for path in made.files],
                "unsaid": list(made.unsaid),
                "use": list(made.use),
            }
        )
        return
    for sentence in made.unsaid:
        note(f"not said: {sentence}")
    if install:
        return
    note("\nTo use it:" if made.use else "")
    for line in made.use:
        note(f"  {line}")
