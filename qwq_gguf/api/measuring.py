"""`eval_thinking`, `eval_quality` and `report`: what a model, a quant or a chain is worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qwq_gguf.api.calls import (
    Listener,
    check_flags,
    check_numbers,
    check_texts,
    in_python,
    name_of,
    names_of,
    path_of,
    reporting,
)
from qwq_gguf.jobs.contexts import ContextWish
from qwq_gguf.jobs.evaluating import Evaluating, Evaluation
from qwq_gguf.jobs.measuring import measure
from qwq_gguf.jobs.quality_asked import Quality, QualityAsked
from qwq_gguf.jobs.reporting import Reported, make_report

__all__ = ["eval_quality", "eval_thinking", "report"]


def eval_thinking(
    models: str | Path | Sequence[str | Path],
    suites: str | Path | Sequence[str | Path],
    *,
    profiles: str | Path | Sequence[str | Path] = "auto",
    governors: str | Sequence[str] = "default",
    effort: str | None = None,
    samples: int = 1,
    limit: int | None = None,
    seed: int = 0,
    append: str | None = None,
    parallel: int | None = None,
    max_tokens: int | None = None,
    context: int | None = None,
    gpu_layers: int | None = None,
    threads: int | None = None,
    cache_keys: str | None = None,
    cache_values: str | None = None,
    flash_attention: bool | None = None,
    out: str | Path | None = None,
    traces: bool = False,
    force: bool = False,
    revision: str | None = None,
    token: str | None = None,
    progress: Listener = None,
) -> Evaluation:
    """How often models are right, and how long they think: the same as `qwq-gguf eval thinking`.

    `models` are GGUFs or "demo"; `suites` are names ("skills"), files of questions, or
    "FORMAT:FILE" of a public test (docs/evaluate.md). Each model is asked under each of the
    `profiles` and `governors` ("default", "off", "budget=200+loops=false"), `samples` times a
    question, of `limit` questions a skill (default 100); `seed` draws questions and dice. Of the
    replies, `parallel` are made at once (default 4). `out` gets each as a JSON line as soon as it
    is made, with `traces` also its tokens; the same call goes on where it was cut short.

    The result's `groups()` has the replies by cell, `to_json()` the figures with intervals.

    UsageError for what does not go together; EvaluationError for a suite that there isn't.
    """
    with in_python():
        check_texts(effort=effort, append=append, revision=revision, token=token)
        check_texts(cache_keys=cache_keys, cache_values=cache_values)
        check_flags(traces=traces, force=force, flash_attention=flash_attention)
        check_numbers(samples=samples, limit=limit, parallel=parallel, max_tokens=max_tokens)
        check_numbers(context=context, threads=threads)
        check_numbers(-1, gpu_layers=gpu_layers)
        check_numbers(-(2**63), seed=seed)
        evaluation = Evaluation(
            Evaluating(
                sources=names_of(models, "models"),
                suites=names_of(suites, "suites"),
                profiles=names_of(profiles, "profiles"),
                governors=names_of(governors, "governors"),
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
                wish=ContextWish(
                    keys=cache_keys, values=cache_values, flash_attention=flash_attention
                ),
                out=None if out is None else path_of(out, "out"),
                force=force,
                traces=traces,
                revision=revision,
                token=token,
            )
        )
        evaluation.run(reporting(progress))
        return evaluation


_WINDOWS = {"--ctx": "window", "--chunks": "windows"}


def eval_quality(
    reference: str | Path,
    quants: str | Path | Sequence[str | Path] = (),
    *,
    text: str | Path | None = None,
    traces: str | Path | None = None,
    window: int | None = None,
    windows: int | None = None,
    save_logits: str | Path | None = None,
    worst: int = 5,
    gpu_layers: int | None = None,
    threads: int | None = None,
    force: bool = False,
    revision: str | None = None,
    token: str | None = None,
    progress: Listener = None,
) -> Quality:
    """How far quants foretell otherwise than their reference: the same as `qwq-gguf eval quality`.

    `reference` is the GGUF that the `quants` were made from, or a file of its base logits. They
    foretell the file `text` in windows of `window` tokens (default 512), `windows` of them at most,
    or the replies of `traces`, which `eval_thinking` has written. `worst` places are kept,
    `save_logits` gets the reference's base logits.

    The result's `quants` have `figures` (perplexity, `kld` in nats, `same_top`, ...), by kind of
    token and p(closing tag) with traces; `to_json()` has all of it.

    UsageError for what does not go together; EvaluationError for texts and models of no use.
    """
    with in_python(_WINDOWS):
        check_texts(revision=revision, token=token)
        check_flags(force=force)
        check_numbers(8, window=window)
        check_numbers(windows=windows, threads=threads)
        check_numbers(0, worst=worst)
        check_numbers(-1, gpu_layers=gpu_layers)
        asked = QualityAsked(
            reference=name_of(reference, "reference"),
            quants=names_of(quants, "quants"),
            text=None if text is None else path_of(text, "text"),
            traces=None if traces is None else path_of(traces, "traces"),
            window=window,
            windows=windows,
            save_logits=None if save_logits is None else path_of(save_logits, "save_logits"),
            worst=worst,
            gpu_layers=gpu_layers,
            threads=threads,
            force=force,
            revision=revision,
            token=token,
        )
        return measure(asked, reporting(progress))


def report(
    runs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    force: bool = False,
    progress: Listener = None,
) -> Reported:
    """Make a page and Markdown of what was measured: the same as `qwq-gguf report`.

    `runs` are samples files, results that `to_json()` gave, manifests, errors; in any order.
    `out` is the folder to write into. The result has the `files`, the page first.

    EvaluationError for a file that is no result; OutputError where one is there, unless `force`.
    """
    with in_python():
        check_flags(force=force)
        paths = [Path(name) for name in names_of(runs, "runs")]
        return make_report(paths, path_of(out, "out"), reporting(progress), force=force)
