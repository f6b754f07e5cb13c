"""`qwq-gguf eval`: how often a model is right, and how long it thinks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags import context as context_flags
from qwq_gguf.cli.flags import speculation as speculation_flags
from qwq_gguf.cli.flags import thoughts as thought_flags
from qwq_gguf.cli.flags.sources import GgufSource, Revision, Token
from qwq_gguf.cli.terminal.interrupt import ctrl_c_waits
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json, note, show_table
from qwq_gguf.cli.terminal.telling import Terminal

if TYPE_CHECKING:
    from qwq_gguf.evaluation.summary import Score
    from qwq_gguf.jobs.evaluating import Evaluation

__all__ = ["app"]

app = command_app(no_args_is_help=True)


@app.callback()
def measure() -> None:
    """Measure right answers and thinking tokens.

    \b
    Examples:
      qwq-gguf eval thinking QwQ-Demo-Q4_K_M.gguf --suite skills
      qwq-gguf eval thinking --help
    """


def _complete_suite(incomplete: str) -> list[str]:
    from qwq_gguf.evaluation.suites import suite_names

    return [name for name in suite_names() if name.startswith(incomplete)]


@app.command("thinking", cls=HouseCommand)
def thinking(
    source: GgufSource,
    suite_name: Annotated[
        str,
        typer.Option(
            "--suite",
            metavar="NAME",
            help="The problems: skills, one skill's name, or showcase.",
            autocompletion=_complete_suite,
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
    effort: thought_flags.Effort = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", min=1, help="Replies to each problem.")
    ] = 1,
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Problems of each skill.  [default: 100]"),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", help="Draws the problems and the replies.")
    ] = 0,
    max_tokens: Annotated[
        int | None,
        typer.Option("-n", "--max-tokens", metavar="N", min=1, help="Longest reply."),
    ] = None,
    context: Annotated[
        int | None, typer.Option("-c", "--ctx", metavar="N", min=1, help="Context in tokens.")
    ] = None,
    gpu_layers: Annotated[
        int | None,
        typer.Option(
            "-ngl", "--gpu-layers", metavar="N", min=-1, help="Layers on the graphics card."
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("-t", "--threads", metavar="N", min=1, help="CPU threads.")
    ] = None,
    cache_type_k: context_flags.CacheTypeK = None,
    cache_type_v: context_flags.CacheTypeV = None,
    flash_attention: context_flags.FlashAttention = None,
    yarn: context_flags.Yarn = None,
    speculate: speculation_flags.Speculate = None,
    draft_tokens: speculation_flags.DraftTokens = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The figures as one JSON object.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write each reply here, a JSON line each."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace --out if it exists.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Ask the problems of a suite; print accuracy and thinking tokens by profile and skill.

    The problems are held out from the demo model's training. The same seed draws the same
    problems and the same dice for every profile and file, so that figures compare. p95 is
    the nearest rank; a thought that never closed counts with the tokens it took.

    Questions are asked as they are, without a word about the form of the answer. The last box
    (\\boxed{...}) of an answer is graded, or without one the last result that it states.

    \b
    Examples:
      qwq-gguf eval thinking QwQ-Demo-Q4_K_M.gguf --suite skills --limit 20
      qwq-gguf eval thinking QwQ-Demo-Q4_K_M.gguf --suite multiply --profile qwq,llama-cpp
      qwq-gguf eval thinking QwQ-Demo-Q4_K_M.gguf --suite skills --json --out replies.jsonl
    """
    from qwq_gguf.jobs.evaluating import Evaluating, Evaluation

    if force and out is None:
        raise typer.BadParameter("--force goes with --out")
    evaluation = Evaluation(
        Evaluating(
            source=source,
            suite=suite_name,
            profiles=profile_names.split(","),
            samples=samples,
            limit=limit,
            seed=seed,
            max_tokens=max_tokens,
            effort=effort,
            context=context,
            gpu_layers=gpu_layers,
            threads=threads,
            wish=context_flags.wish_of(cache_type_k, cache_type_v, flash_attention, yarn),
            guessing=speculation_flags.guessing_of(speculate, draft_tokens),
            out=out,
            force=force,
            revision=revision,
            token=token,
        )
    )
    try:
        evaluation.run(Terminal(), whole=ctrl_c_waits)
    except KeyboardInterrupt:
        # What was measured is worth seeing; as JSON it would pass for the whole.
        if evaluation.done and not as_json:
            _show(evaluation)
        raise
    if as_json:
        emit_json(evaluation.to_json())
    else:
        _show(evaluation)


def _show(evaluation: Evaluation) -> None:
    from qwq_gguf.evaluation.summary import score, score_by_skill

    rows = []
    for profile, group in evaluation.by_profile().items():
        skills = score_by_skill(group)
        rows += [_row(profile, skill, figures) for skill, figures in skills.items()]
        if len(skills) > 1:
            rows.append(_row(profile, "all", score(group)))
    show_table(_COLUMNS, rows, right=",".join(_COLUMNS[2:]))
    note("\nmean, median and p95 are thinking tokens a reply")


_COLUMNS = ("profile", "skill", "right", "of", "accuracy", "unclosed", "mean", "median", "p95")


def _row(profile: str, skill: str, figures: Score) -> tuple[object, ...]:
    return (
        profile,
        skill,
        figures.right,
        figures.samples,
        f"{100 * figures.accuracy:.1f} %",
        figures.unclosed,
        f"{figures.mean_thinking:.1f}",
        f"{figures.median_thinking:g}",
        f"{figures.p95_thinking:g}",
    )
