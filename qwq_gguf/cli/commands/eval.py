"""`qwq-gguf eval`: how often a model is right, and how long it thinks."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.commands.eval_quality import quality
from qwq_gguf.cli.flags import context as context_flags
from qwq_gguf.cli.flags import speculation as speculation_flags
from qwq_gguf.cli.flags import thoughts as thought_flags
from qwq_gguf.cli.flags.completion import completing
from qwq_gguf.cli.flags.groups import takes_groups
from qwq_gguf.cli.flags.sources import Revision, Token, named_model
from qwq_gguf.cli.flags.typed import typed_command
from qwq_gguf.cli.terminal.interrupt import ctrl_c_waits
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json, note
from qwq_gguf.cli.terminal.telling import Terminal

if TYPE_CHECKING:
    from qwq_gguf.jobs.evaluating import Evaluation

__all__ = ["app"]

app = command_app(no_args_is_help=True)
app.command("quality", cls=HouseCommand)(quality)


@app.callback()
def measure() -> None:
    """Measure right answers and thinking tokens.

    \b
    Examples:
      qwq-gguf eval thinking QwQ-Demo-Q4_K_M.gguf --suite skills
      qwq-gguf eval thinking --help
      qwq-gguf eval quality QwQ-Demo-BF16.gguf QwQ-Demo-Q4_K_M.gguf --text some.txt
    """


def _suites() -> Iterable[str]:
    from qwq_gguf.evaluation.suites import suite_names
    from qwq_gguf.evaluation.suites.public import FORMATS

    return (*suite_names(), *(f"{name}:" for name in FORMATS))


@app.command("thinking", cls=HouseCommand)
@takes_groups
def thinking(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help="GGUF files, or what else `chat` takes for a model; demo is the one that comes"
            " along.",
            callback=lambda sources: [named_model(source) for source in sources],
        ),
    ],
    *,
    suite_names: Annotated[
        list[str],
        typer.Option(
            "--suite",
            metavar="NAME|FILE",
            help="What is asked, several times for more: a suite's name, a FILE.jsonl of questions,"
            " or FORMAT:FILE of a public test (docs/evaluate.md).",
            autocompletion=completing(_suites),
        ),
    ],
    profile_names: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="A,B",
            help="Profiles to compare, by commas; auto is what the file asks for.",
            show_default=True,
        ),
    ] = "auto",
    governors: Annotated[
        list[str] | None,
        typer.Option(
            "--govern",
            metavar="A,B",
            help="Governors to compare, by commas: default, off, or keys joined by a plus:"
            " budget=200+loops=false.  [default: default]",
            show_default=False,
        ),
    ] = None,
    effort: thought_flags.Effort = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", min=1, help="Replies to each problem.")
    ] = 1,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=1,
            help="Problems of each skill.  [default: 100; all of a file]",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Draws the problems and the replies.")
    ] = 0,
    append: Annotated[
        str | None,
        typer.Option("--append", metavar="TEXT", help="Said after each question, as it stands."),
    ] = None,
    parallel: Annotated[
        int | None,
        typer.Option(
            "--parallel",
            metavar="N",
            min=1,
            help="Replies that are made at once; 1 makes the same ones at each run.  [default: 4]",
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option("-n", "--max-tokens", metavar="N", min=1, help="Longest reply."),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option("-c", "--ctx", metavar="N", min=1, help="Context in tokens, of all at once."),
    ] = None,
    gpu_layers: context_flags.CountedLayers = None,
    threads: context_flags.Threads = None,
    kept: context_flags.Kept,
    guessing: speculation_flags.Guessing,
    as_json: Annotated[
        bool, typer.Option("--json", help="The figures as one JSON object.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write each reply here as soon as it is made, a JSON line each; the same command"
            " goes on where it was cut short.  [default: none is written]",
            show_default=False,
        ),
    ] = None,
    traces: Annotated[
        bool,
        typer.Option("--traces", help="The replies' tokens in --out, too, for other measures."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace --out if it exists; begin anew.")
    ] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Ask the questions of suites; print accuracy and tokens by model, profile, governor, skill.

    The same seed draws the same problems and the same dice for every model, profile and
    governor, so that figures compare: the last table pairs each with the first, reply by reply.
    Intervals are at 95 % and by problem. p95 is the nearest rank; a thought that never closed
    counts with the tokens it took. Seconds are a reply's share of the time in which it was made
    together with others.

    The problems of the skills are held out from the demo model's training, and asked as they
    are, without a word about the form of the answer.

    \b
    Examples:
      qwq-gguf eval thinking QwQ-Demo-Q4_K_M.gguf --suite skills --limit 20
      qwq-gguf eval thinking Q8_0.gguf Q3_K_M.gguf --suite skills --out quants.jsonl
      qwq-gguf eval thinking QwQ-Demo-Q4_K_M.gguf --suite multiply --profile qwq,llama-cpp
      qwq-gguf eval thinking MODEL.gguf --suite gsm8k:test.jsonl --govern default,off --json
    """
    from qwq_gguf.jobs.evaluating import Evaluating, Evaluation

    evaluation = Evaluation(
        Evaluating(
            sources=sources,
            suites=suite_names,
            profiles=profile_names.split(","),
            governors=governors or ("default",),
            samples=samples,
            limit=limit,
            seed=seed,
            append=append,
            parallel=parallel,
            max_tokens=max_tokens,
            effort=effort,
            context=context,
            gpu_layers=gpu_layers,
            threads=threads,
            wish=kept.wish(),
            guessing=guessing.wish(),
            out=out,
            force=force,
            traces=traces,
            revision=revision,
            token=token,
            command=typed_command(sys.argv[1:]),
        )
    )
    try:
        evaluation.run(Terminal(), whole=ctrl_c_waits)
    except KeyboardInterrupt:
        # What was measured is worth seeing; as JSON it would pass for the whole.
        if evaluation.done and not as_json:
            _show(evaluation)
        if out is not None and evaluation.done:
            done = len(evaluation.done)
            there = "1 reply is" if done == 1 else f"{done} replies are"
            note(f"{there} in {out}; the same command goes on")
        raise
    if as_json:
        emit_json(evaluation.to_json())
    else:
        _show(evaluation)


def _show(evaluation: Evaluation) -> None:
    from qwq_gguf.cli.showing.evaluation import show_evaluation

    show_evaluation(evaluation.groups())
