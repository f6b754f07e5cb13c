"""`qwq-gguf publish`: GGUFs, with a card and all that belongs to them, onto the Hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags.common import Json, Yes
from qwq_gguf.cli.flags.sources import Token
from qwq_gguf.cli.terminal.asking import agreed
from qwq_gguf.cli.terminal.errors import ERROR
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.manner import manner
from qwq_gguf.cli.terminal.output import emit, emit_json, note, show_table
from qwq_gguf.cli.terminal.telling import Terminal
from qwq_gguf.words import count, human_bytes, some

if TYPE_CHECKING:
    from qwq_gguf.jobs.publishing import Target
    from qwq_gguf.publication.plan import PublishPlan

__all__ = ["app"]

app = command_app()


@app.command("publish", cls=HouseCommand)
def publish(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILES", help="The GGUFs: quants of one model.")
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="ORG/NAME-GGUF",
            help="The repository on the Hub, or modelscope:ORG/NAME.",
        ),
    ],
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show the files and the card; send and ask nothing."),
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="Nobody else is to see it (a new repository).")
    ] = False,
    yes: Yes = False,
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            metavar="ORG/NAME",
            help="The model that these were made from.  [default: as the manifests say]",
            show_default=False,
        ),
    ] = None,
    quality: Annotated[
        Path | None,
        typer.Option(
            "--quality",
            metavar="FILE",
            help="What `eval quality --json` wrote: its figures go into the table.",
            show_default=False,
        ),
    ] = None,
    imatrix: Annotated[
        list[Path] | None,
        typer.Option(
            "--imatrix",
            metavar="FILE",
            help="An importance matrix that they were made with; one beside them is found.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    token: Token = None,
) -> None:
    """Put GGUFs onto the Hub, with card and proofs.

    The model card, the manifests and attestations that lie beside them, the importance matrix,
    and the files that Ollama reads there. What is sent is shown first, and nothing leaves this
    machine before you say yes; without a terminal, before --yes. All of it appears in one commit.
    What was interrupted goes on when it is asked for again.

    \b
    Examples:
      qwq-gguf publish QwQ-32B-*.gguf --to me/QwQ-32B-GGUF --dry-run
      qwq-gguf publish QwQ-32B-*.gguf --to me/QwQ-32B-GGUF --quality quality.json
      qwq-gguf publish QwQ-Demo-Q4_K_M.gguf --to me/Demo-GGUF --private --yes
      qwq-gguf publish QwQ-32B-*.gguf --to modelscope:me/QwQ-32B-GGUF
    """
    from qwq_gguf.jobs import publishing

    tell = Terminal()
    wanted = publishing.Publishing(
        tuple(files), to, private, base=base, quality=quality, imatrix=tuple(imatrix or ())
    )
    plan = publishing.plan_publication(wanted, tell)
    if not as_json:
        _show(plan)
    if dry_run:
        if as_json:
            emit_json(publishing.Publication(plan).to_json())
        else:
            emit(f"\n{plan.card}")
        return
    target = publishing.look_at_target(plan, token)
    note(_told(plan, target))
    if not agreed("Send all of this?", yes=yes):
        note("nothing was sent (--yes does it)", always=True)
        raise typer.Exit(ERROR)
    bars = sys.stderr.isatty() and not manner.quiet
    sent = publishing.publish(plan, tell, token=token, bars=bars)
    if as_json:
        emit_json(publishing.Publication(plan, sent).to_json())
        return
    emit(f"{sent.page} (commit {sent.commit})")


def _show(plan: PublishPlan) -> None:
    rows = [(file.name, human_bytes(file.nbytes), file.what) for file in plan.files]
    show_table(("file", "size", "what"), rows, right="size")


def _told(plan: PublishPlan, target: Target) -> str:
    who = "for you alone to see" if plan.private else "for everybody to see"
    where = f"{count(len(plan.files), 'file')}, {human_bytes(plan.nbytes)}, to {target.page}"
    if not target.exists:
        return f"\n{where}: a new repository, {who}"
    if not target.replaced:
        return f"\n{where}: nothing there is replaced"
    return f"\n{where}: replaces {some(target.replaced, 8)} where they differ"
