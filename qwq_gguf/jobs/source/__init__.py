"""What a model is made from: a checkpoint, or a GGUF taken again. Each answers for itself."""

from __future__ import annotations

from qwq_gguf.jobs.source.base import Source
from qwq_gguf.jobs.source.checkpoint import CheckpointSource
from qwq_gguf.jobs.source.gguf import GgufSource, header_of

__all__ = ["CheckpointSource", "GgufSource", "Source", "open_source"]


def open_source(source: str, revision: str | None = None, token: str | None = None) -> Source:
    """The headers of what `source` names; of the Hub's, no weights are fetched."""
    from qwq_gguf.checkpoint import locate_gguf, names_gguf, open_checkpoint
    from qwq_gguf.gguf_file import read_splits

    if not names_gguf(source, token=token):
        return CheckpointSource(open_checkpoint(source, revision=revision, token=token))
    located = locate_gguf(source, revision=revision, token=token, fetch=False)
    return GgufSource(located, read_splits(located.path, lambda path: header_of(located, path)))
