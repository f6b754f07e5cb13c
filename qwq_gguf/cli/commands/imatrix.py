"""`qwq-gguf imatrix`: what a model's weights are multiplied with, for whoever quantizes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwq_gguf.cli.flags.groups import takes_groups
from qwq_gguf.cli.flags.reading import Computed, Texts
from qwq_gguf.cli.flags.sources import Revision, Token, named_model
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json
from qwq_gguf.cli.terminal.telling import Terminal

__all__ = ["app"]

app = command_app()


@app.command(cls=HouseCommand)
@takes_groups
def imatrix(
    *,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="OUT", help="The file to write.", show_default=False),
    ],
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A GGUF file, or one on the Hub: the least quantized that this machine can run. "
            "Not needed to merge only.",
            show_default=False,
        ),
    ] = None,
    texts: Texts,
    merge: Annotated[
        list[Path] | None,
        typer.Option(
            "--merge",
            metavar="FILE",
            help="Add an importance matrix of the same model, GGUF or .dat. Repeatable.",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            "-c",
            "--ctx",
            metavar="N",
            min=16,
            help="Tokens of a window.  [default: 512; of traces 4096 at most]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        bool,
        typer.Option(
            "--process-output", help="The output matrix, too, of which quantizing makes no use."
        ),
    ] = False,
    saved_every: Annotated[
        int,
        typer.Option(
            "--save-frequency",
            metavar="N",
            min=1,
            help="Windows after which what is done is saved.",
        ),
    ] = 16,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume",
            help="Go on where a run of the same command was ended, or start over.",
            show_default="resume",
        ),
    ] = True,
    computed: Computed,
    as_json: Annotated[
        bool, typer.Option("--json", help="What was made, as one JSON object.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT if it exists.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Make an importance matrix to quantize with.

    With it (`quantize --imatrix`) bits are spent on the weights that matter most. The model
    reads a text, and for each column of each matrix the squares of its inputs are summed; of
    experts over the tokens that were sent to each. The file is what llama-imatrix writes.

    Ended early, the same command goes on where it was.

    \b
    Examples:
      qwq-gguf imatrix QwQ-32B-Q8_0.gguf --text some.txt -o QwQ.imatrix.gguf
      qwq-gguf imatrix QwQ-32B-Q8_0.gguf --traces replies.jsonl -o QwQ.imatrix.gguf
      qwq-gguf imatrix --merge one.gguf --merge two.gguf -o both.gguf
      qwq-gguf quantize Qwen/QwQ-32B -r IQ3_XS --imatrix QwQ.imatrix.gguf
    """
    from qwq_gguf.jobs.imatrix_asked import ImatrixAsked
    from qwq_gguf.jobs.imatrix_making import make_imatrix

    asked = ImatrixAsked(
        source=None if source is None else named_model(source),
        out=out,
        text=texts.text,
        traces=texts.traces,
        merge=merge or (),
        window=window,
        windows=texts.windows,
        output=output,
        saved_every=saved_every,
        resume=resume,
        gpu_layers=computed.gpu_layers,
        threads=computed.threads,
        force=force,
        revision=revision,
        token=token,
    )
    made = make_imatrix(asked, Terminal())
    if as_json:
        emit_json(made.to_json())
