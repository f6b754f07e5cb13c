"""`qwq-gguf run`: from any name of a model to a chat with it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command

from qwq_gguf.cli.flags.common import AnswerOnly, Detailed, Json, Yes
from qwq_gguf.cli.flags.completion import complete_recipe, completing
from qwq_gguf.cli.flags.sources import Revision, Token
from qwq_gguf.cli.terminal.asking import agreed
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.manner import manner
from qwq_gguf.cli.terminal.output import emit_json, note
from qwq_gguf.cli.terminal.telling import Bars, Terminal
from qwq_gguf.cli.terminal.waiting import LOOKING, waiting_for
from qwq_gguf.errors import QwqGgufError
from qwq_gguf.jobs.configuration import Configuration, read_configuration
from qwq_gguf.jobs.fitting import best_fit
from qwq_gguf.jobs.kept_models import models_folder
from qwq_gguf.jobs.running import RunPlan, RunWanted, carry_out, plan_run
from qwq_gguf.machine.choosing import Row

__all__ = ["app"]

app = command_app()


def _models() -> Iterable[str]:
    from qwq_gguf.jobs.kept_models import kept_models

    configuration = read_configuration()
    kept = [model.name for model in kept_models(models_folder(configuration))]
    return ("demo", *configuration.aliases, *kept)


@app.command(
    "run",
    cls=HouseCommand,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def run(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A checkpoint or a GGUF: on the Hub, a folder, a file, demo, an alias, or a "
            "model that an earlier run has kept.",
            autocompletion=completing(_models),
        ),
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            "-r",
            "--recipe",
            metavar="NAME",
            help="How small a checkpoint is made.  [default: what fits, else Q4_K_M]",
            autocompletion=complete_recipe,
        ),
    ] = None,
    tokens: Annotated[
        int | None,
        typer.Option(
            "-c", "--ctx", metavar="N", min=1, help="Context in tokens.  [default: what fits]"
        ),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it to clients, as `serve` does; no chat.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
    quiet: AnswerOnly = False,
    verbose: Detailed = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Run a model, whatever it takes.

    Downloads or quantizes what is not there yet: says what that takes (download, disk, time,
    recipe, context), asks once, and keeps what it makes (`qwq-gguf models`), so that the next
    time it chats at once. Interrupted, the same command goes on. Flags of `chat` may follow, with
    --serve those of `serve`.

    \b
    Examples:
      qwq-gguf run demo
      qwq-gguf run Qwen/QwQ-32B
      qwq-gguf run Qwen/QwQ-32B -r Q6_K --yes -p "What is 7*43?"
      qwq-gguf run bartowski/Qwen_QwQ-32B-GGUF:IQ4_XS --dry-run
      qwq-gguf run Qwen/QwQ-32B --serve --port 8080
      qwq-gguf run QwQ-32B --tools calculator        what an earlier run has kept
    """
    if serve and as_json and not dry_run:
        raise typer.BadParameter("--json does not go with --serve")
    if as_json and not dry_run and not context.args:
        raise typer.BadParameter("--json goes with --dry-run, or with what to ask: -p TEXT")
    configuration = read_configuration()
    tell = Bars() if quiet else Terminal()
    wanted = RunWanted(source, recipe, tokens, revision, token)
    # The demo is what the manual shows, the same on every machine.
    planner = None if source == "demo" else best_fit if quiet else _best_fit
    plan = plan_run(wanted, configuration, tell, best_fit=planner)
    if dry_run:
        if as_json:
            emit_json(plan.to_json())
        else:
            _show(plan, configuration)
        return
    if not plan.ready and not plan.again:
        _show(plan, configuration)
        if not agreed("Do this?", yes=yes):
            raise QwqGgufError(
                "nothing was done, as nobody agreed to it",
                path=plan.kept.source,
                hint="--yes does it without asking",
            )
    ready = carry_out(plan, configuration, tell)
    words = [str(ready.path)]
    if ready.context is not None:
        words += ["--ctx", str(ready.context)]
    for flag, given in {"--json": as_json, "--quiet": quiet, "--verbose": verbose}.items():
        words += [flag] if given else []
    _go_on("serve" if serve else "chat", [*words, *context.args])


def _best_fit(source: str, *, revision: str | None = None, token: str | None = None) -> Row | None:
    with waiting_for(LOOKING):
        return best_fit(source, revision=revision, token=token)


def _show(plan: RunPlan, configuration: Configuration) -> None:
    if plan.ready:
        note(f"{plan.kept.path} is here already")
        return
    note(f"to run {plan.kept.source}:")
    for line in plan.lines(models_folder(configuration)):
        note(f"  {line}")


def _go_on(name: str, words: list[str]) -> None:
    """The same as `chat` or `serve` with these words; its exit status is ours."""
    command: Any = get_command(import_module(f"qwq_gguf.cli.commands.{name}").app)
    command.name = name
    manner.typed = "run"
    status = command.main(words, prog_name=f"qwq-gguf {name}", standalone_mode=False)
    if isinstance(status, int) and status:
        raise typer.Exit(status)
