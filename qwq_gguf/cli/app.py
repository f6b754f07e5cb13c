"""`qwq-gguf`: the list of commands and the entry point."""

from __future__ import annotations

from typing import Annotated, ClassVar

import typer
from typer.main import get_command

from qwq_gguf.cli.terminal.errors import close_stdout
from qwq_gguf.cli.terminal.harmless import clean_logs
from qwq_gguf.cli.terminal.lazy import CONTEXT_SETTINGS, LazyCommand, LazyGroup
from qwq_gguf.cli.terminal.manner import manner
from qwq_gguf.cli.terminal.output import emit, emit_json
from qwq_gguf.cli.terminal.streams import set_up_streams

__all__ = ["app", "run"]


class _Commands(LazyGroup):
    table: ClassVar[dict[str, LazyCommand]] = {
        "run": LazyCommand("qwq_gguf.cli.commands.run", "Run a model, whatever it takes."),
        "quantize": LazyCommand(
            "qwq_gguf.cli.commands.quantize", "Turn a checkpoint or a large GGUF into a GGUF file."
        ),
        "chat": LazyCommand("qwq_gguf.cli.commands.chat", "Talk with a model and watch it think."),
        "serve": LazyCommand(
            "qwq_gguf.cli.commands.serve", "Serve a model to the clients that people already have."
        ),
        "rpc-worker": LazyCommand(
            "qwq_gguf.cli.commands.rpc_worker",
            "Lend this machine to a chat on another one.",
        ),
        "fix": LazyCommand(
            "qwq_gguf.cli.commands.fix", "Find what a runtime does wrong with a model."
        ),
        "modelfile": LazyCommand(
            "qwq_gguf.cli.commands.modelfile", "Write the Ollama Modelfile of a GGUF."
        ),
        "export": LazyCommand(
            "qwq_gguf.cli.commands.export", "Write a model's settings for a runtime."
        ),
        "eval": LazyCommand(
            "qwq_gguf.cli.commands.eval", "Measure right answers and thinking tokens."
        ),
        "imatrix": LazyCommand(
            "qwq_gguf.cli.commands.imatrix", "Make an importance matrix to quantize with."
        ),
        "report": LazyCommand(
            "qwq_gguf.cli.commands.report", "Make a page and Markdown of what was measured."
        ),
        "set": LazyCommand("qwq_gguf.cli.commands.set", "Change what a GGUF says about itself."),
        "models": LazyCommand("qwq_gguf.cli.commands.models", "List the models that run has kept."),
        "inspect": LazyCommand("qwq_gguf.cli.commands.inspect", "Show what a GGUF file holds."),
        "verify": LazyCommand(
            "qwq_gguf.cli.commands.verify", "Check a GGUF, its manifest and its source."
        ),
        "publish": LazyCommand(
            "qwq_gguf.cli.commands.publish", "Put GGUFs onto the Hub, with card and proofs."
        ),
        "fit": LazyCommand(
            "qwq_gguf.cli.commands.fit", "Show what of a model fits this machine, or another one."
        ),
        "doctor": LazyCommand(
            "qwq_gguf.cli.commands.doctor",
            "Look at this machine, and what llama.cpp uses of it.",
        ),
        "recipes": LazyCommand(
            "qwq_gguf.cli.commands.recipes", "List the quantize recipes, show one, or make one."
        ),
        "conformance": LazyCommand(
            "qwq_gguf.cli.commands.conformance", "Compare a running server with a profile."
        ),
        "profiles": LazyCommand(
            "qwq_gguf.cli.commands.profiles", "List the chat profiles, or show one."
        ),
        "config": LazyCommand(
            "qwq_gguf.cli.commands.config", "Show what is set for good, and where."
        ),
    }


app = typer.Typer(
    name="qwq-gguf",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT_SETTINGS,
)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from qwq_gguf.jobs.versions import versions

    found = versions()
    if manner.json:
        emit_json(found.to_json())
    else:
        emit("\n".join(found.lines()))
    raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version, llama.cpp's and what it computes on, and leave.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", hidden=True)] = False,
) -> None:
    """Reasoning models as GGUF files: make them, and talk with them.

    \b
    Start here (nothing is downloaded, no GPU is needed):
      qwq-gguf quantize demo
      qwq-gguf chat QwQ-Demo-Q4_K_M.gguf -p "What is 7*43?"

    `qwq-gguf COMMAND --help` shows examples of each command. Exit status: 0 done, 1 an error,
    2 wrong usage, 130 interrupted; `chat` has 3 for no answer.
    """


def run() -> int:
    """Run the command that the arguments name; its exit status.

    0 done, 1 an error that was reported, 2 wrong usage, 130 interrupted; of single commands see
    docs/exit-status.md.
    """
    set_up_streams()
    clean_logs()
    status: object = 0
    try:
        get_command(app).main(prog_name="qwq-gguf")
    except SystemExit as leaving:
        status = leaving.code
    return close_stdout(status if isinstance(status, int) else 0)
