"""What a command takes for a model, and how it is brought here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from qwq_gguf.checkpoint import Checkpoint, Fetched, LocatedGguf
    from qwq_gguf.gguf_file import GgufFile

__all__ = [
    "GgufSource",
    "Revision",
    "Token",
    "bring_gguf",
    "bring_weights",
    "gguf_header",
    "ollama_name",
]

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


def bring_gguf(located: LocatedGguf) -> dict[Path, Fetched]:
    """Download what is missing of a GGUF, with a bar; what of it came just now."""
    if located.is_here:
        return {}
    from qwq_gguf.checkpoint import fetch_gguf
    from qwq_gguf.cli.progress import DownloadBar

    with DownloadBar(located.path.name) as bar:
        return fetch_gguf(located, progress=bar.update)


@contextmanager
def gguf_header(
    source: str, revision: str | None = None, token: str | None = None
) -> Iterator[tuple[LocatedGguf, GgufFile]]:
    """A GGUF's header; of one on the Hub, the header alone is fetched. GgufError for a part
    of a model that is called as if it were all of it.

    Its long arrays are read when they are asked for, so only as long as the context lasts.
    """
    from qwq_gguf.checkpoint import locate_gguf, peek_gguf
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.gguf_file.splits import count_parts

    located = locate_gguf(source, revision=revision, token=token, fetch=False)
    with peek_gguf(located, lambda path: read_gguf(path).data_offset) as path:
        file = read_gguf(path)
        count_parts(file, located.path)
        yield located, file


def ollama_name(located: LocatedGguf) -> str | None:
    """What Ollama itself would pull this file by, or None where it could not.

    It knows the public Hub's main branch, and no model in several files.
    """
    hub = located.hub
    if hub is None or len(located.parts) > 1 or hub.revision != "main":
        return None
    from qwq_gguf.checkpoint.hub.settings import DEFAULT_ENDPOINT

    on_hub = hub.hub.endpoint == DEFAULT_ENDPOINT
    return f"hf.co/{hub.repo}:{located.tag}" if on_hub else None


def bring_weights(checkpoint: Checkpoint) -> dict[Path, Fetched]:
    """Download what is missing of a checkpoint's weights, with a bar; what came just now."""
    from qwq_gguf.checkpoint import fetch_weights
    from qwq_gguf.cli.progress import DownloadBar

    hub = checkpoint.hub
    if hub is None or all(hub.is_here(hub.name_of(shard)) for shard in checkpoint.shards):
        return {}
    with DownloadBar(checkpoint.name) as bar:
        return fetch_weights(checkpoint, progress=bar.update)
