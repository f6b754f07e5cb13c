"""`qwq-gguf report`: what was measured, as a page and as Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json
from qwq_gguf.cli.terminal.telling import Terminal

__all__ = ["app"]

app = command_app()


@app.command(cls=HouseCommand)
def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Samples files and --json results of `eval thinking`, results of `eval quality`,"
            " manifests, errors that `recipes fit` measured; in any order.",
            show_default=False,
        ),
    ],
    folder: Annotated[
        Path,
        typer.Option(
            "-o", "--out", metavar="DIR", help="The folder to write into.", show_default=False
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="What was written, as one JSON object.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Make a page and Markdown of what was measured.

    Accuracy against thinking tokens, with intervals and what nothing else beats; differences from
    the first cell, paired; KL divergence against size; p(closing tag) by quant; errors by layer;
    machine, versions, commands and seeds. What no file was given for is left out, and said.

    report.html is whole by itself: no script, and nothing is fetched from anywhere. report.md has
    the same with its pictures beside it.

    \b
    Examples:
      qwq-gguf report replies.jsonl -o report
      qwq-gguf report replies.jsonl quality.json *.manifest.json -o report --force
    """
    from qwq_gguf.jobs.reporting import make_report

    made = make_report(runs, folder, Terminal(), force=force)
    if as_json:
        emit_json(made.to_json())
