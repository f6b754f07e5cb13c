"""What quantizing and verifying ask of what a model is made from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import DiskSpaceError
from qwq_gguf.jobs.events import Event, Report

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.fetch import Fetched
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot
    from qwq_gguf.checkpoint.hub.supply import HubSupply
    from qwq_gguf.conversion import Conversion
    from qwq_gguf.metadata import KeyValue

__all__ = ["Source"]


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
