"""`qwq-gguf fit`: what of a model fits this machine, and how fast it will be."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from qwq_gguf.cli.flags.sources import Revision, Token
from qwq_gguf.cli.terminal.lazy import HouseCommand, command_app
from qwq_gguf.cli.terminal.output import emit_json

__all__ = ["app"]

_UNITS = {"": 1 << 30, "g": 1 << 30, "m": 1 << 20, "t": 1 << 40}

app = command_app()


@app.command("fit", cls=HouseCommand)
def fit(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A checkpoint or a GGUF: a folder, a file, a name on the Hub."
        ),
    ],
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME",
            help="Another machine: 24GB, 24GB@936 (GB/s), rtx3090, 2x16GB, m3-36gb, cpu.",
        ),
    ] = None,
    ram: Annotated[
        str | None,
        typer.Option("--ram", metavar="SIZE", help="Its main memory.  [default: as much as here]"),
    ] = None,
    context: Annotated[
        int | None,
        typer.Option("-c", "--ctx", metavar="N", min=1, help="This context and no other."),
    ] = None,
    kv_type: Annotated[
        str | None,
        typer.Option(
            "--kv-type", metavar="TYPE", help="KV cache in f16, q8_0 or q4_0.  [default: auto]"
        ),
    ] = None,
    thought: Annotated[
        int | None,
        typer.Option(
            "--thought",
            metavar="N",
            min=1,
            help="Tokens of a typical thought.  [default: published]",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the recipes that others of their size outdo.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as one JSON object.")] = False,
    revision: Revision = None,
    token: Token = None,
) -> None:
    """Show what of a model fits this machine, or another one.

    For each recipe: its size, the longest context beside it, layers on the card, expected
    tokens a second, how long a thought will take. Headers are enough for it; no weights are
    fetched. Sizes are exact or measured (docs/memory.md), speeds are estimates: from how long
    this processor and its cards were seen to take (timed once, in some seconds), and of a card
    that is only named from its bandwidth.

    A context that cannot hold the expected thought is marked, and never recommended.

    \b
    Examples:
      qwq-gguf fit demo
      qwq-gguf fit Qwen/QwQ-32B
      qwq-gguf fit Qwen/QwQ-32B --device 24GB
      qwq-gguf fit Qwen/QwQ-32B --device m3-36gb --thought 8000
      qwq-gguf fit QwQ-32B-Q4_K_M.gguf --device rtx3090 --ram 32GB -c 32768
      qwq-gguf fit QwQ-Demo-Q4_K_M.gguf --json | jq .recommended
    """
    from qwq_gguf.cli.showing.fit import show_fit
    from qwq_gguf.cli.terminal.waiting import LOOKING, waiting_for
    from qwq_gguf.jobs.fitting import fit as fit_model

    with waiting_for(LOOKING):
        found = fit_model(
            source,
            device=device,
            ram=None if ram is None else _size(ram),
            context=context,
            kv_type=kv_type,
            thought=thought,
            revision=revision,
            token=token,
        )
    if as_json:
        emit_json(found.to_json())
    else:
        show_fit(found, everything=everything)


def _size(text: str) -> int:
    """Bytes of `32GB`, `512M`; a bare number is GiB, as people say it of memory."""
    found = re.fullmatch(r"(\d{1,6})\s*([gmt]?)(?:i?b)?", text.strip().lower())
    if found is None or not int(found[1]):
        raise typer.BadParameter(f"--ram is a size such as 32GB, not {text[:20]}")
    return int(found[1]) * _UNITS[found[2]]
