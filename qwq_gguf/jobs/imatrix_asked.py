"""What importance matrix is to be made, and what came of it, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.errors import UsageError

__all__ = ["IMATRIX_SCHEMA", "SAVED_EVERY", "ImatrixAsked", "MadeImatrix"]

IMATRIX_SCHEMA = "qwq-gguf/imatrix/1"
SAVED_EVERY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ImatrixAsked:
    """Of which model, from what, and where to.

    `text` is read in windows of `window` tokens (512), of `traces` each reply with its prompt, cut
    into such windows (default: 4096 at most). `windows` of them at most are read. `merge` are
    files that are added; without anything to read, that is all, and the window stays the one that
    the first of them tells. What is done is saved every `saved_every` windows. `output`: with the
    output matrix, which quantizing makes no use of.

    UsageError for what does not go together.
    """

    source: str | None = None
    out: Path
    text: Path | None = None
    traces: Path | None = None
    merge: Sequence[Path] = ()
    window: int | None = None
    windows: int | None = None
    output: bool = False
    saved_every: int = SAVED_EVERY
    resume: bool = True
    gpu_layers: int | None = None
    threads: int | None = None
    force: bool = False
    revision: str | None = None
    token: str | None = None

    def __post_init__(self) -> None:
        if self.text is not None and self.traces is not None:
            raise UsageError("--text and --traces: name one of them")
        reads = self.text is not None or self.traces is not None
        if reads and self.source is None:
            raise UsageError("of which model? name a GGUF file")
        if not reads and self.source is not None:
            raise UsageError("what is the model to read? --text FILE, or --traces FILE")
        if not reads and not self.merge:
            raise UsageError("name a model and a --text, or files to --merge")


@dataclass(frozen=True, slots=True)
class MadeImatrix:
    """What was written: how many entries, of how many windows and tokens; matrices (of experts)
    that nothing was sent to, of all.
    """

    path: Path
    nbytes: int
    entries: int
    windows: int
    tokens: int
    chunks: int
    unseen: int
    matrices: int

    def to_json(self) -> dict[str, Any]:
        """One object, with its schema."""
        return {
            "schema": IMATRIX_SCHEMA,
            "file": self.path.name,
            "bytes": self.nbytes,
            "entries": self.entries,
            "windows": self.windows,
            "tokens": self.tokens,
            "chunks": self.chunks,
            "matrices": self.matrices,
            "unseen_matrices": self.unseen,
        }
