"""What a model is made from: a checkpoint, or a GGUF taken again. Each answers for itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import DiskSpaceError, GgufError, ShardError, UsageError
from qwq_gguf.jobs.events import Event, Report
from qwq_gguf.jobs.fetching import bring_gguf

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import Fetched, LocatedGguf
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot
    from qwq_gguf.checkpoint.hub.supply import HubSupply
    from qwq_gguf.conversion import Conversion
    from qwq_gguf.gguf_file import GgufFile, SplitGguf
    from qwq_gguf.metadata import KeyValue

__all__ = ["GgufSource", "Source", "open_source"]


class Source(ABC):
    """What a model is made from, known by its headers; of the Hub's, no weights are here yet."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called."""

    @property
    def result(self) -> str:
        """What a model that is made of it is called, unless a user says otherwise."""
        return self.name

    @property
    @abstractmethod
    def folder(self) -> Path:
        """Where its files are or will be."""

    @property
    @abstractmethod
    def shards(self) -> tuple[Path, ...]:
        """The files of its weights, in order."""

    @property
    @abstractmethod
    def hub(self) -> HubSnapshot | None:
        """What of the Hub was named, None for what is on this disk."""

    @abstractmethod
    def convert(self, *, name: str | None = None, extra: Sequence[KeyValue] = ()) -> Conversion:
        """What a GGUF of it says, and where its tensors come from."""

    @abstractmethod
    def bring(self, report: Report) -> dict[Path, Fetched]:
        """Have all weights on the disk; what of them came just now."""

    @abstractmethod
    def streamed(self, target: Path) -> Source:
        """The same with its shards passing by in a folder beside `target`. UsageError where
        it has none that can.
        """

    def reading(self, conversion: Conversion) -> Source:
        """The same, that knows which shards a conversion of it needs together."""
        return self

    def supply(self, report: Report) -> HubSupply | None:
        """What brings the shards of a streamed source; None for one that is here as a whole."""
        return None

    @abstractmethod
    def check_room(self, result: int, present: int) -> None:
        """DiskSpaceError where a result of so many bytes, of which so many are taken already,
        and two of the streamed shards will not fit.
        """

    @abstractmethod
    def hint_stream(self, problem: DiskSpaceError) -> None:
        """Let it tell of a stream, where that would do with the room there is."""

    def announcements(self) -> Iterator[Event]:
        """What is to be said of a streamed source before it is read."""
        yield from ()

    def to_json(self) -> dict[str, Any]:
        """The same for a plan's JSON."""
        return {}

    def identity(self, shard: Path) -> str:
        """What tells this shard's content from any other, in a line for people."""
        from qwq_gguf.checkpoint.identity import shard_identity

        return shard_identity(shard, self.hub)

    def files(self) -> list[Path]:
        """All that it is made of, which no output may replace."""
        return list(self.shards)


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


def open_source(
    source: str,
    revision: str | None = None,
    token: str | None = None,
    adapters: Sequence[str] = (),
) -> Source:
    """The headers of what `source` names; of the Hub's, no weights are fetched. `adapters` are
    folders of those that are merged into a checkpoint, in this order.
    """
    from qwq_gguf.checkpoint import locate_gguf, names_gguf, open_adapter, open_checkpoint
    from qwq_gguf.gguf_file import read_splits
    from qwq_gguf.jobs.checkpoint_source import CheckpointSource

    opened = [open_adapter(folder) for folder in adapters]
    if not names_gguf(source, token=token):
        return CheckpointSource(open_checkpoint(source, revision=revision, token=token), opened)
    if opened:
        raise UsageError(
            "--lora goes with a checkpoint, and this is a GGUF",
            found=source,
            hint="name the checkpoint that the adapter was trained on",
        )
    located = locate_gguf(source, revision=revision, token=token, fetch=False)
    return GgufSource(located, read_splits(located.path, lambda path: _header(located, path)))


def _header(located: LocatedGguf, path: Path) -> GgufFile:
    """The header of one of its files. What is not here yet is read to the end, since its
    arrays cannot be read later.
    """
    from qwq_gguf.checkpoint import peek_gguf
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
