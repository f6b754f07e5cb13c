"""`make_imatrix` and `fit_recipe`: what lets a quant of one size lose less."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qwq_gguf.api.calls import (
    Listener,
    check_factors,
    check_flags,
    check_numbers,
    check_texts,
    in_python,
    name_of,
    names_of,
    path_of,
    reporting,
)
from qwq_gguf.errors import UsageError
from qwq_gguf.jobs import recipe_fitting
from qwq_gguf.jobs.imatrix_asked import SAVED_EVERY, ImatrixAsked, MadeImatrix
from qwq_gguf.jobs.imatrix_making import make_imatrix as make
from qwq_gguf.jobs.recipe_fitting import Fitted, Target

__all__ = ["fit_recipe", "make_imatrix"]

_ARGUMENTS = {"--ctx": "window", "--chunks": "windows"}


def make_imatrix(
    source: str | Path | None,
    out: str | Path,
    *,
    text: str | Path | None = None,
    traces: str | Path | None = None,
    merge: str | Path | Sequence[str | Path] = (),
    window: int | None = None,
    windows: int | None = None,
    process_output: bool = False,
    save_frequency: int = SAVED_EVERY,
    resume: bool = True,
    gpu_layers: int | None = None,
    threads: int | None = None,
    force: bool = False,
    revision: str | None = None,
    token: str | None = None,
    progress: Listener = None,
) -> MadeImatrix:
    """Make an importance matrix to quantize with: the same as `qwq-gguf imatrix`.

    The GGUF `source` reads the file `text` in windows of `window` tokens (default 512), `windows`
    of them at most, or the replies of `traces`, which `eval_thinking` has written. `merge` are
    importance matrices that are added; where there is nothing to read, `source` is None. What is
    done is saved every `save_frequency` windows, and the same call goes on unless `resume` is
    False.

    UsageError for what does not go together; EvaluationError for a text of no use; ImatrixError
    for files that cannot be merged.
    """
    with in_python(_ARGUMENTS):
        check_texts(revision=revision, token=token)
        check_flags(process_output=process_output, resume=resume, force=force)
        check_numbers(16, window=window)
        check_numbers(windows=windows, save_frequency=save_frequency, threads=threads)
        check_numbers(-1, gpu_layers=gpu_layers)
        asked = ImatrixAsked(
            source=None if source is None else name_of(source),
            out=path_of(out, "out"),
            text=None if text is None else path_of(text, "text"),
            traces=None if traces is None else path_of(traces, "traces"),
            merge=[Path(name) for name in names_of(merge, "merge")],
            window=window,
            windows=windows,
            output=process_output,
            saved_every=save_frequency,
            resume=resume,
            gpu_layers=gpu_layers,
            threads=threads,
            force=force,
            revision=revision,
            token=token,
        )
        return make(asked, reporting(progress))


def fit_recipe(
    source: str | Path,
    *,
    size: int | None = None,
    bpw: float | None = None,
    vram: str | None = None,
    context: int | None = None,
    imatrix: str | Path | None = None,
    out: str | Path | None = None,
    force: bool = False,
    threads: int | None = None,
    revision: str | None = None,
    token: str | None = None,
    progress: Listener = None,
) -> Fitted:
    """Make the recipe that loses least of a model within a size: `qwq-gguf recipes fit`.

    `source` is what `quantize` takes. The size is one of three: `size` in bytes, `bpw` in bits a
    weight (1 to 32), or `vram`, a card ("24GB", "rtx3090") onto which all of it goes beside
    `context` tokens. `out` is the recipe to write, `./<Model>-Fit-<bits>.toml` unless given.

    The result has `recipe` and `path`, either of which `quantize` takes, its `plan`, the `error`
    that is expected, and the shipped recipes (`stock`) by the same measure.

    UsageError without a size; PlanError for one that no choice of types comes down to.
    """
    with in_python():
        check_numbers(size=size, context=context, threads=threads)
        check_factors(bpw=bpw)
        check_texts(vram=vram, revision=revision, token=token)
        check_flags(force=force)
        if bpw is not None and not 1 <= bpw <= 32:
            raise UsageError("bpw is between 1 and 32", found=str(bpw)[:60])
        return recipe_fitting.fit_recipe(
            name_of(source),
            Target(size, bpw, vram, context),
            reporting(progress),
            out=None if out is None else name_of(out, "out"),
            imatrix=None if imatrix is None else name_of(imatrix, "imatrix"),
            force=force,
            threads=threads,
            revision=revision,
            token=token,
        )
