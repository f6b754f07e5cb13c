"""`qwq-gguf eval`: how often a model is right, and how long it thinks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from qwq_gguf.cli.flags import context as context_flags
from qwq_gguf.cli.flags import thoughts as thought_flags
from qwq_gguf.cli.flags.chain import resolved_for
from qwq_gguf.cli.flags.sources import GgufSource, Revision, Token
from qwq_gguf.cli.terminal.interrupt import ctrl_c_waits
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json, note, show_table, to_json
from qwq_gguf.cli.terminal.telling import Terminal

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.evaluation.problems import Problem
    from qwq_gguf.evaluation.summary import Sample, Score
    from qwq_gguf.profiles import Profile

__all__ = ["EVAL_SCHEMA", "app"]

Lines: TypeAlias = Callable[[str], None]
"""Takes one line after the other."""

EVAL_SCHEMA = "qwq-gguf/eval-thinking/1"

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
    from qwq_gguf.evaluation.problems import suite_names

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
    from qwq_gguf.cli.chatting.loading import load_model
    from qwq_gguf.evaluation.problems import suite
    from qwq_gguf.jobs.fetching import bring_gguf, gguf_header
    from qwq_gguf.jobs.settings import with_thoughts
    from qwq_gguf.profiles import thoughts_of

    if force and out is None:
        raise typer.BadParameter("--force goes with --out")
    wish = context_flags.wish_of(cache_type_k, cache_type_v, flash_attention, yarn)
    problems = suite(suite_name, limit=limit, seed=seed)
    with gguf_header(source, revision, token, Terminal()) as (located, gguf):
        settings = {
            name: resolved_for(gguf.metadata, name)
            for name in map(str.strip, profile_names.split(","))
        }
        profiles = {
            each.profile.name: with_thoughts(each.profile, None, None, effort=effort)
            for each in settings.values()
        }
        if effort is not None:
            thoughts = thoughts_of(gguf.metadata, next(iter(profiles.values())))
            note(f"note: {thoughts.notice}" if thoughts.notice else f"effort {effort}")
    if len(profiles) <= profile_names.count(","):
        raise typer.BadParameter(f"--profile names one twice: {profile_names}")
    for name, resolved in settings.items():
        if name == "auto":
            note(f"profile {resolved.profile.name}: {resolved.reason}")
    for sentence in dict.fromkeys(s for resolved in settings.values() for s in resolved.notes):
        note(f"note: {sentence}")
    done: list[Sample] = []
    bring_gguf(located, Terminal())
    file = located.path
    with (
        _lines(out, located.parts, force=force) as lines,
        load_model(
            file,
            context=context,
            usual_context=max(profile.context for profile in profiles.values()),
            gpu_layers=gpu_layers,
            threads=threads,
            wish=wish,
        ) as model,
    ):
        try:
            _measure(
                model, problems, tuple(profiles.values()), samples, seed, max_tokens, done, lines
            )
        except KeyboardInterrupt:
            # What was measured is worth seeing; as JSON it would pass for the whole.
            if done and not as_json:
                _show(done)
            raise
    if as_json:
        emit_json(_to_json(done, file, suite_name, samples, seed))
    else:
        _show(done)


def _measure(
    model: Model,
    problems: Sequence[Problem],
    profiles: Sequence[Profile],
    samples: int,
    seed: int,
    max_tokens: int | None,
    done: list[Sample],
    lines: Lines | None,
) -> None:
    from qwq_gguf.cli.terminal.progress import CountBar
    from qwq_gguf.evaluation.runner import ask_model, run_suite

    total = len(problems) * samples * len(profiles)
    with CountBar("asking", total, unit="replies") as bar:
        for profile in profiles:
            ask = ask_model(model, profile, max_tokens=max_tokens)
            right = 0
            replies = run_suite(ask, problems, profile=profile.name, samples=samples, seed=seed)
            for number, sample in enumerate(replies, start=1):
                with ctrl_c_waits():  # figures and lines are of the same replies
                    done.append(sample)
                    if lines is not None:
                        lines(to_json(sample.to_json()))
                right += sample.right
                bar.advance(f"{profile.name} {sample.skill}, {right} of {number} right")


@contextmanager
def _lines(path: Path | None, source: Sequence[Path], *, force: bool) -> Iterator[Lines | None]:
    from qwq_gguf.files.naming import open_descriptor, refuse_sources
    from qwq_gguf.files.writing import LinesFile, write_descriptor

    if path is None:
        yield None
        return
    descriptor = open_descriptor(path)
    if descriptor is not None:
        yield lambda line: write_descriptor(descriptor, f"{line}\n", path)
        return
    refuse_sources([path], source)
    with LinesFile(path, force=force) as file:
        yield file.write


def _by_profile(done: Sequence[Sample]) -> dict[str, list[Sample]]:
    groups: dict[str, list[Sample]] = {}
    for sample in done:
        groups.setdefault(sample.profile, []).append(sample)
    return groups


def _show(done: Sequence[Sample]) -> None:
    from qwq_gguf.evaluation.summary import score, score_by_skill

    rows = []
    for profile, group in _by_profile(done).items():
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


def _to_json(
    done: Sequence[Sample], file: Path, suite: str, samples: int, seed: int
) -> dict[str, Any]:
    from qwq_gguf.evaluation.summary import score, score_by_skill

    return {
        "schema": EVAL_SCHEMA,
        "file": file.name,
        "suite": suite,
        "seed": seed,
        "samples_each": samples,
        "profiles": [
            {
                "profile": profile,
                **score(group).to_json(),
                "skills": {
                    skill: figures.to_json() for skill, figures in score_by_skill(group).items()
                },
            }
            for profile, group in _by_profile(done).items()
        ],
    }
