"""A GGUF taken again, all its parts as one source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import DiskSpaceError, GgufError, ShardError, UsageError
from qwq_gguf.jobs.events import Report
from qwq_gguf.jobs.fetching import bring_gguf
from qwq_gguf.jobs.source.base import Source

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import LocatedGguf
    from qwq_gguf.checkpoint.hub.fetch import Fetched
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot
    from qwq_gguf.conversion import Conversion
    from qwq_gguf.gguf_file import GgufFile, SplitGguf
    from qwq_gguf.metadata import KeyValue

__all__ = ["GgufSource", "header_of"]


class GgufSource(Source):
    """A GGUF's headers, and where its files are or will be."""

    def __init__(self, located: LocatedGguf, model: SplitGguf) -> None:
        self.located = located
        self.model = model

    @property
    def name(self) -> str:
        """See `Source`."""
        from qwq_gguf.conversion.from_gguf import model_name

        return model_name(self.model.head)

    @property
    def folder(self) -> Path:
        """See `Source`: that of its first file."""
        return self.located.path.parent

    @property
    def shards(self) -> tuple[Path, ...]:
        """See `Source`."""
        return tuple(part.path for part in self.model.parts)

    @property
    def hub(self) -> HubSnapshot | None:
        """See `Source`."""
        return self.located.hub

    def convert(self, *, name: str | None = None, extra: Sequence[KeyValue] = ()) -> Conversion:
        """See `Source`."""
        from qwq_gguf.conversion.from_gguf import from_gguf

        return from_gguf(self.model, name=name, extra=extra)

    def bring(self, report: Report) -> dict[Path, Fetched]:
        """See `Source`. ShardError for a file that is not the one whose header was read."""
        if self.hub is None:
            return {}
        from qwq_gguf.gguf_file import read_gguf

        fetched = bring_gguf(self.located, report)
        for planned in self.model.parts:
            if read_gguf(planned.path).tensors != planned.tensors:
                raise ShardError(
                    "the file that was downloaded is not the one that was planned with",
                    path=planned.path,
                    hint="delete this file and try again",
                )
        return fetched

    def streamed(self, target: Path) -> Source:
        """See `Source`."""
        raise UsageError("--stream takes safetensors from the Hub, and this is a GGUF")

    def check_room(self, result: int, present: int) -> None:
        """See `Source`: nothing of it passes by."""

    def hint_stream(self, problem: DiskSpaceError) -> None:
        """See `Source`: it would not do."""


def header_of(located: LocatedGguf, path: Path) -> GgufFile:
    """The header of one of its files. What is not here yet is read to the end, since its
    arrays cannot be read later.
    """
    from qwq_gguf.checkpoint.hub.peek import peek_gguf
    from qwq_gguf.gguf_file import read_gguf

    if located.hub is None or located.hub.is_here(located.hub.name_of(path)):
        return read_gguf(path)
    if path not in located.parts:
        raise GgufError("a part of the model is missing", path=path)
    part = replace(located, path=path, parts=(path,))
    with peek_gguf(part, lambda copy: read_gguf(copy).data_offset) as copy:
        file = read_gguf(copy)
        whole = {
            key: entry if entry.element is None else replace(entry, value=tuple(entry.items))
            for key, entry in file.metadata.items()
        }
    return replace(file, path=path, metadata=whole)
