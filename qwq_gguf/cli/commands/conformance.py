"""`qwq-gguf conformance`: does a running server do what a profile wants?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwq_gguf.cli.flags.completion import complete_profile
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json, note, show_table
from qwq_gguf.cli.terminal.telling import Terminal

__all__ = ["app"]

app = command_app()


@app.command("conformance", cls=HouseCommand)
def conformance(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="A llama-server, Ollama, or one with /v1/models.")
    ],
    profile_name: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="What is wanted; see `qwq-gguf profiles`.  [default: auto, as --file says; "
            "without one, qwq]",
            autocompletion=complete_profile,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="Which of the server's models.", show_default=False
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="GGUF",
            help="The file that it runs, to tell its keys from the server's flags.",
            show_default=False,
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            "--api-key",
            metavar="KEY",
            envvar="QWQ_GGUF_API_KEY",
            help="Sent to URL as a bearer token; others on this machine may see what is typed "
            "here, so the variable is better.",
            show_default=False,
        ),
    ] = None,
    no_reply: Annotated[bool, typer.Option("--no-reply", help="Compare settings only.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Compare a running server with a profile.

    Setting by setting: what is wanted, what is applied, and where that came from. Then two
    short replies, of 480 tokens at most: does the thought come apart from the answer, does
    a budget bind it, is a tool call found? Asks nobody but URL, and follows no redirects.
    The exit status is 1 when something differs.

    \b
    Examples:
      qwq-gguf conformance http://127.0.0.1:8080 --profile qwq
      qwq-gguf conformance http://127.0.0.1:8080 --file QwQ-32B-Q4_K_M.gguf
      qwq-gguf conformance http://127.0.0.1:11434 --model qwq   Ollama
      QWQ_GGUF_API_KEY=... qwq-gguf conformance https://models.example.org
    """
    from qwq_gguf.jobs.conforming import check_server

    found = check_server(
        url,
        Terminal(),
        profile=profile_name,
        model=model,
        file=file,
        api_key=api_key,
        replies=not no_reply,
    )
    if as_json:
        emit_json(found.to_json())
    else:
        show_table(
            ("setting", "wanted", "applied", "", "from"),
            [(row.setting, row.wanted, row.applied, row.verdict, row.origin) for row in found.rows],
        )
        for line in (*found.notes, *found.advice):
            note(f"note: {line}")
        note(found.verdict())
    if found.differing:
        raise typer.Exit(1)
