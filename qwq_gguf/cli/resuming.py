"""`--no-resume`, and what is said of unfinished files: gone on with, or kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from qwq_gguf.cli.output import note

if TYPE_CHECKING:
    from qwq_gguf.quantization.running.target import Target
    from qwq_gguf.quantization.writing.outputs import Outputs

__all__ = ["Resume", "opened_outputs"]

Resume: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--resume/--no-resume",
        help="Go on where a run of the same command was ended, or start over.",
    ),
]


@contextmanager
def opened_outputs(
    targets: Sequence[Target], identity: Callable[[Path], str], *, force: bool, resume: bool
) -> Iterator[Outputs]:
    """The files to make, open as long as the context lasts; at its end they are finished."""
    from qwq_gguf.cli.progress import ByteBar
    from qwq_gguf.quantization.writing.outputs import Outputs

    bar = ByteBar("checking what is there")
    outputs = Outputs(targets, force=force, resume=resume, identity=identity, checking=bar.update)
    with _saying_what_is_kept(outputs), ExitStack() as stack:
        with bar:
            stack.enter_context(outputs)
        for line in outputs.notes:
            note(line)
        yield outputs
        outputs.finish()


@contextmanager
def _saying_what_is_kept(outputs: Outputs) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            note("")  # the terminal has just echoed ^C
        for path, share in outputs.kept:
            note(
                f"{path}: {100 * share:.0f} % is done and kept; the same command goes on from "
                "there (--no-resume starts over)"
            )
        raise
