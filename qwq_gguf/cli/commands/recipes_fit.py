"""`qwq-gguf recipes fit`: the best types for one model within a size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.flags.common import Json
from qwq_gguf.cli.flags.limits import read_size
from qwq_gguf.cli.flags.quantize import Force, ImatrixFile, Source, Threads
from qwq_gguf.cli.flags.sources import Revision, Token
from qwq_gguf.cli.terminal.output import emit, emit_json, note, show_table
from qwq_gguf.cli.terminal.telling import Terminal
from qwq_gguf.words import human_bytes

if TYPE_CHECKING:
    from qwq_gguf.jobs.recipe_fitting import Fitted

__all__ = ["fit"]


def fit(
    source: Source,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="SIZE",
            help="The file may have so many bytes: 18GB, 900M; with an i, 16GiB.",
            show_default=False,
        ),
    ] = None,
    bits: Annotated[
        float | None,
        typer.Option(
            "--bpw",
            metavar="BITS",
            min=1.0,
            max=32.0,
            help="So many bits for each weight, as the plan counts them.",
            show_default=False,
        ),
    ] = None,
    card: Annotated[
        str | None,
        typer.Option(
            "--vram",
            metavar="CARD",
            help="All of it goes onto this card beside its context: 24GB, rtx3090, 2x16GB.",
            show_default=False,
        ),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            "-c",
            "--ctx",
            metavar="N",
            min=1,
            help="The context beside it.  [default: a long thought's]",
            show_default=False,
        ),
    ] = None,
    imatrix: ImatrixFile = None,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE.toml",
            help="The recipe to write.  [default: ./<Model>-Fit-<bits>.toml]",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    threads: Threads = None,
    as_json: Json = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Make the recipe that loses least of a model within a size.

    Rows of each matrix are quantized to each type and decoded again. Of all choices of types that
    fit, the one with the least sum of errors is searched, and written as an ordinary recipe,
    which makes a file of exactly the size that is shown. What was measured is kept: another size
    of the same model takes a second.

    \b
    Examples:
      qwq-gguf recipes fit demo --bpw 4.5
      qwq-gguf recipes fit Qwen/QwQ-32B --size 18GB
      qwq-gguf recipes fit ~/QwQ-32B --vram 24GB -c 16384
      qwq-gguf recipes fit ~/QwQ-32B --size 13GB --imatrix QwQ-32B.imatrix.gguf -o small.toml
      qwq-gguf quantize ~/QwQ-32B -r small.toml --imatrix QwQ-32B.imatrix.gguf
      qwq-gguf recipes fit QwQ-32B-BF16.gguf --bpw 5 --json | jq .stock
    """
    from qwq_gguf.jobs.recipe_fitting import Target, fit_recipe

    nbytes = None if size is None else read_size(size, "--size")
    tell = Terminal()
    fitted = fit_recipe(
        source,
        Target(nbytes, bits, card, context),
        tell,
        out=out,
        imatrix=imatrix,
        force=force,
        threads=threads,
        revision=revision,
        token=token,
    )
    if as_json:
        emit_json(fitted.to_json())
        return
    for line in fitted.warnings:
        note(f"warning: {line}")
    _show(fitted)


def _show(fitted: Fitted) -> None:
    """Beside the shipped recipes, by size."""
    rows = [
        (each.recipe, each.file_bytes, each.bits_per_weight, each.error) for each in fitted.stock
    ]
    plan = fitted.plan
    rows.append((plan.recipe, plan.file_bytes, plan.bits_per_weight, fitted.error))
    show_table(
        ("recipe", "size", "bits a weight", "error"),
        [
            (name, human_bytes(nbytes), f"{bits:.2f}", f"{error:.4g}")
            for name, nbytes, bits, error in sorted(rows, key=lambda row: row[1])
        ],
        right="size,bits a weight,error",
    )
    best = fitted.best_stock
    if best is not None:
        note(_compared(best.recipe, best.error, fitted.error))
    emit(fitted.command)


def _compared(name: str, stock: float, fitted: float) -> str:
    if fitted >= stock:
        return f"{name} is no larger and loses as little: take that"
    return (
        f"loses {100 * (1 - fitted / stock):.0f} % less than {name}, the best of its size or below"
    )
