"""How large things may be, as people type it: the files of a split model, the memory of a run."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from qwq_gguf.quantization.planning.split import SplitRule

__all__ = [
    "BareFirst",
    "MaxMemory",
    "MaxSize",
    "MaxTensors",
    "read_memory",
    "read_size",
    "read_split",
]

_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?([MGT])(i?)B?", re.IGNORECASE | re.ASCII)
_POWER = {"M": 2, "G": 3, "T": 4}

MaxMemory = Annotated[
    str | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        help="Take no more memory than this, all in all: 512M, 1G.  [default: 768M]",
        show_default=False,
    ),
]
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


def read_size(text: str, flag: str, *, thousand: int = 1000) -> int:
    """Bytes, 1 at least. M, G and T are powers of `thousand`, and with an i of 1024.

    BadParameter naming the flag for anything else.
    """
    match = _SIZE.fullmatch(text.strip())
    number = Decimal(match[1]) if match else Decimal(0)
    if match is None or not number:
        raise typer.BadParameter(f"{flag} {text}: expected a size, such as 8G or 500M")
    unit = (1024 if match[3] else thousand) ** _POWER[match[2].upper()]
    return max(1, int(number * unit))


def read_memory(size: str | None) -> int | None:
    """The flag in bytes, by powers of 1024; None for the default."""
    return None if size is None else read_size(size, "--max-memory", thousand=1024)


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
