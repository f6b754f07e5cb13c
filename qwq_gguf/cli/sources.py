"""What a command takes for a model, and how it is brought here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import Checkpoint

__all__ = ["GgufSource", "Revision", "Token", "bring_weights", "gguf_header", "gguf_path"]

GgufSource: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A GGUF file, or one on the Hub: org/name-GGUF[:Q4_K_M]."),
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


def gguf_path(source: str, revision: str | None = None, token: str | None = None) -> Path:
    """The GGUF file that `source` names, downloaded with a bar if it has to be."""
    from qwq_gguf.checkpoint import locate_gguf
    from qwq_gguf.cli.progress import DownloadBar

    located = locate_gguf(source, revision=revision, token=token, fetch=False)
    if located.hub is not None and not all(part.is_file() for part in located.parts):
        from qwq_gguf.checkpoint import fetch_gguf

        with DownloadBar(source) as bar:
            fetch_gguf(located, progress=bar.update)
    return located.path


@contextmanager
def gguf_header(
    source: str, revision: str | None = None, token: str | None = None
) -> Iterator[Path]:
    """A file to read a GGUF's header from; of one on the Hub, the header alone is fetched."""
    from qwq_gguf.checkpoint import locate_gguf, peek_gguf
    from qwq_gguf.gguf_file import read_gguf

    located = locate_gguf(source, revision=revision, token=token, fetch=False)
    with peek_gguf(located, lambda path: read_gguf(path).data_offset) as path:
        yield path


def bring_weights(checkpoint: Checkpoint) -> None:
    """Download what is missing of a checkpoint's weights, with a bar."""
    from qwq_gguf.checkpoint import fetch_weights
    from qwq_gguf.cli.progress import DownloadBar

    if checkpoint.hub is None or all(shard.is_file() for shard in checkpoint.shards):
        return
    with DownloadBar(checkpoint.name) as bar:
        fetch_weights(checkpoint, progress=bar.update)
