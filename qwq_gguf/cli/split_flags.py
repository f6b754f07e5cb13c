"""Flags of `quantize` that cut a model into several files."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qwq_gguf.quantize.split import SplitRule

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

_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([MGT])(i?)B?", re.IGNORECASE | re.ASCII)
_POWER = {"M": 2, "G": 3, "T": 4}


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
    from qwq_gguf.quantize.split import SplitRule

    max_bytes = None if size is None else _bytes(size)
    return SplitRule(max_bytes=max_bytes, max_tensors=tensors, bare_first=bare_first)


def _bytes(text: str) -> int:
    """Powers of 1000, as gguf-split counts, unless GiB is written out."""
    match = _SIZE.fullmatch(text.strip())
    number = Decimal(match[1]) if match else Decimal(0)
    if match is None or not number:
        raise typer.BadParameter(f"--split-max-size {text}: expected a size, such as 8G or 500M")
    unit = (1024 if match[3] else 1000) ** _POWER[match[2].upper()]
    return max(1, int(number * unit))
