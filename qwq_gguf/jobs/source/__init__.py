"""What a model is made from: a checkpoint, or a GGUF taken again. Each answers for itself."""

from __future__ import annotations

from collections.abc import Sequence

from qwq_gguf.errors import UsageError
from qwq_gguf.jobs.source.base import Source
from qwq_gguf.jobs.source.checkpoint import CheckpointSource
from qwq_gguf.jobs.source.gguf import GgufSource, header_of

__all__ = ["CheckpointSource", "GgufSource", "Source", "open_gguf", "open_source"]


def open_source(
    source: str,
    revision: str | None = None,
    token: str | None = None,
    adapters: Sequence[str] = (),
) -> Source:
    """The headers of what `source` names; of the Hub's, no weights are fetched. `adapters` are
    folders of those that are merged into a checkpoint, in this order.
    """
    from qwq_gguf.checkpoint import names_gguf, open_adapter, open_checkpoint

    opened = [open_adapter(folder) for folder in adapters]
    if not names_gguf(source, token=token):
        return CheckpointSource(open_checkpoint(source, revision=revision, token=token), opened)
    if opened:
        raise UsageError(
            "--lora goes with a checkpoint, and this is a GGUF",
            found=source,
            hint="name the checkpoint that the adapter was trained on",
        )
    return open_gguf(source, revision, token)


def open_gguf(source: str, revision: str | None = None, token: str | None = None) -> GgufSource:
    """The header of a GGUF; of a repository that has several, that of the one people mean."""
    from qwq_gguf.checkpoint import locate_gguf
    from qwq_gguf.gguf_file import read_splits

    located = locate_gguf(source, revision=revision, token=token, fetch=False)
    return GgufSource(located, read_splits(located.path, lambda path: header_of(located, path)))
