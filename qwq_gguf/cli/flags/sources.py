"""What a command takes for a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = ["GgufSource", "Revision", "Token", "alias_of", "named_model"]


def alias_of(source: str) -> str:
    """What an alias of the user's stands for; the name itself where it is none."""
    from qwq_gguf.jobs.configuration import read_configuration

    return read_configuration().model(source)


def named_model(source: str) -> str:
    """What a user calls a model: an alias of his, or what an earlier `run` has kept."""
    from qwq_gguf.jobs.configuration import read_configuration
    from qwq_gguf.jobs.kept_models import find_kept, models_folder

    configuration = read_configuration()
    meant = configuration.model(source)
    if "/" in meant or "\\" in meant or Path(meant).exists():
        return meant
    kept = find_kept(models_folder(configuration), meant)
    return meant if kept is None else str(kept.path)


GgufSource: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A GGUF file, one on the Hub: org/name-GGUF[:Q4_K_M], or a name of your own "
        "(qwq-gguf config, qwq-gguf models).",
        callback=lambda source: named_model(source),
    ),
]
Revision: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--revision", metavar="NAME", help="Branch, tag or commit on the Hub.  [default: main]"
    ),
]
Token: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="A Hub token, before HF_TOKEN and the one `hf auth login` saved.",
    ),
]
