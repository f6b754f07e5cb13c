"""A checkpoint that a model is made from, with the adapters that are merged into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import DiskSpaceError, UsageError
from qwq_gguf.jobs.events import Activity, Event, Report, Streaming, Unlisted, activity
from qwq_gguf.jobs.fetching import downloaded
from qwq_gguf.jobs.source.base import Source
from qwq_gguf.words import human_bytes

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import Adapter, Checkpoint
    from qwq_gguf.checkpoint.hub.fetch import Fetched
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot
    from qwq_gguf.checkpoint.hub.supply import HubSupply
    from qwq_gguf.conversion import Conversion
    from qwq_gguf.metadata import KeyValue

__all__ = ["CheckpointSource"]


class CheckpointSource(Source):
    """A checkpoint of safetensors, and the adapters that are merged into it. Where its snapshot
    has a `stream`, its shards pass by; adapters are always here.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        adapters: Sequence[Adapter] = (),
        groups: frozenset[frozenset[Path]] = frozenset(),
    ) -> None:
        """`groups`: shards that some tensor needs together."""
        self.checkpoint = checkpoint
        self.adapters = tuple(adapters)
        self._groups = groups

    @property
    def name(self) -> str:
        """See `Source`."""
        return self.checkpoint.name

    @property
    def result(self) -> str:
        """See `Source`: with adapters it is another model than the checkpoint."""
        return "-".join([self.checkpoint.name, *(adapter.name for adapter in self.adapters)])

    @property
    def folder(self) -> Path:
        """See `Source`."""
        return self.checkpoint.folder

    @property
    def shards(self) -> tuple[Path, ...]:
        """See `Source`."""
        return self.checkpoint.shards

    @property
    def hub(self) -> HubSnapshot | None:
        """See `Source`."""
        return self.checkpoint.hub

    def convert(self, *, name: str | None = None, extra: Sequence[KeyValue] = ()) -> Conversion:
        """See `Source`."""
        from qwq_gguf.conversion import convert

        if self.adapters:
            name = name or self.result
        return convert(self.checkpoint, name=name, extra=extra, adapters=self.adapters)

    def bring(self, report: Report) -> dict[Path, Fetched]:
        """See `Source`."""
        hub = self.hub
        if hub is None or all(hub.is_here(hub.name_of(shard)) for shard in self.shards):
            return {}
        from qwq_gguf.checkpoint.hub.checkpoint import fetch_weights

        with activity(report, Activity.DOWNLOADING, self.name):
            return fetch_weights(self.checkpoint, progress=downloaded(report))

    def hint_stream(self, problem: DiskSpaceError) -> None:
        """See `Source`."""
        if self.hub is None:
            return
        from qwq_gguf.checkpoint.hub.stream import peak_bytes, streamed
        from qwq_gguf.checkpoint.hub.stream_folder import stream_folder

        peak = peak_bytes(streamed(self.checkpoint, stream_folder(Path("x"))))
        problem.hint = (
            f"qwq-gguf quantize {self.checkpoint.source} --stream, which takes "
            f"{human_bytes(peak)} beside the result; or {problem.hint}"
        )

    def streamed(self, target: Path) -> CheckpointSource:
        """See `Source`."""
        from qwq_gguf.checkpoint.hub.stream import streamed
        from qwq_gguf.checkpoint.hub.stream_folder import stream_folder

        if self.hub is None:
            raise UsageError("--stream goes with a model on the Hub, and this one is here")
        return CheckpointSource(streamed(self.checkpoint, stream_folder(target)), self.adapters)

    def supply(self, report: Report) -> HubSupply | None:
        """See `Source`."""
        if not self._streams:
            return None
        from qwq_gguf.checkpoint.hub.supply import HubSupply

        return HubSupply(self.checkpoint, groups=self._groups, progress=downloaded(report))

    def reading(self, conversion: Conversion) -> CheckpointSource:
        """See `Source`."""
        from qwq_gguf.conversion.parts import Part

        parts = [s for tensor in conversion.tensors for s in tensor.sources if isinstance(s, Part)]
        several = (part.number_shards for part in parts if len(part.number_shards) > 1)
        return CheckpointSource(self.checkpoint, self.adapters, frozenset(map(frozenset, several)))

    def check_room(self, result: int, present: int) -> None:
        """See `Source`."""
        from qwq_gguf.checkpoint.hub.stream import check_room

        check_room(self.checkpoint, result, present=present, groups=self._groups)

    def announcements(self) -> Iterator[Event]:
        """See `Source`."""
        hub = self.hub
        if hub is None or hub.stream is None:
            return
        from qwq_gguf.checkpoint.hub.stream import unlisted

        shards, nbytes, peak = self._passing()
        yield Streaming(hub.called, hub.commit, shards, len(self.shards) - shards, nbytes, peak)
        unknown = unlisted(self.checkpoint) if shards else []
        if unknown:
            yield Unlisted(len(unknown))

    def to_json(self) -> dict[str, Any]:
        """See `Source`."""
        hub = self.hub
        if hub is None or hub.stream is None:
            return {}
        shards, nbytes, peak = self._passing()
        stream = {"commit": hub.commit, "shards": shards, "bytes": nbytes, "peak_bytes": peak}
        return {"stream": stream}

    def files(self) -> list[Path]:
        """See `Source`: also whatever else lies in the folder but GGUFs."""
        found = super().files()
        found += [file for adapter in self.adapters for file in adapter.files]
        try:
            found += [each for each in self.folder.iterdir() if each.suffix != ".gguf"]
        except OSError:
            pass  # of a folder that can't be listed, its weights are known
        return found

    def identity(self, shard: Path) -> str:
        """See `Source`: an adapter is none of the Hub's files."""
        from qwq_gguf.checkpoint.identity import shard_identity

        if any(shard == adapter.weights for adapter in self.adapters):
            return shard_identity(shard)
        return super().identity(shard)

    @property
    def _streams(self) -> bool:
        return self.hub is not None and self.hub.stream is not None

    def _passing(self) -> tuple[int, int, int]:
        """Of the shards that pass by: how many, their bytes, and those at one time."""
        from qwq_gguf.checkpoint.hub.stream import is_streamed, peak_bytes, shard_bytes

        shards = [path for path in self.shards if is_streamed(self.checkpoint, path)]
        nbytes = sum(shard_bytes(self.checkpoint, path) for path in shards)
        return len(shards), nbytes, peak_bytes(self.checkpoint, groups=self._groups)
