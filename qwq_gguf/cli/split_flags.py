"""Flags of `quantize` that cut a model into several files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qwq_gguf.cli.sizes import read_size

if TYPE_CHECKING:
    from qwq_gguf.quantization.planning.split import SplitRule

__all__ = ["BareFirst", "MaxSize", "MaxTensors", "read_split"]

MaxSize = Annotated[
    str | None,
    typer.Option(
        "--split-max-size",
        metavar="SIZE",
        help="Cut the model into files of at most this much data each: 8G, 500M.",
        show_default=False,
    ),
]
MaxTensors = Annotated[
    int | None,
    typer.Option(
        "--split-max-tensors",
        metavar="N",
        min=1,
        help="Cut it into files of at most so many tensors.",
        show_default=False,
    ),
]
BareFirst = Annotated[
    bool,
    typer.Option(
        "--no-tensor-first-split", help="When cutting, leave the first file without tensors."
    ),
]


def read_split(size: str | None, tensors: int | None, *, bare_first: bool) -> SplitRule | None:
    """The three flags as one value, None for a model in one file."""
    if size is not None and tensors is not None:
        raise typer.BadParameter("--split-max-size and --split-max-tensors: name one of them")
    if size is None and tensors is None:
        if bare_first:
            raise typer.BadParameter(
                "--no-tensor-first-split goes with --split-max-size or --split-max-tensors"
            )
        return None
    from qwq_gguf.quantization.planning.split import SplitRule

    # Powers of 1000, as gguf-split counts, unless GiB is written out.
    max_bytes = None if size is None else read_size(size, "--split-max-size")
    return SplitRule(max_bytes=max_bytes, max_tensors=tensors, bare_first=bare_first)
