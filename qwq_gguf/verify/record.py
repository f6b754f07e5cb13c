"""Making the manifest of a GGUF that was just written.

The shards' digests cost nothing where the Hub lists them; of other checkpoints they are
computed in threads beside the run, each shard read once more, in a few megabytes. Those
of the GGUF come from follow.py.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qwq_gguf.checkpoint.identity import listed_sha256
from qwq_gguf.errors import ShardError
from qwq_gguf.files import open_file
from qwq_gguf.gguf_file.stored import file_identity
from qwq_gguf.machine import usable_processors
from qwq_gguf.outputs import write_file
from qwq_gguf.quantize.versions import tool_versions
from qwq_gguf.verify.contents import Contents, file_record
from qwq_gguf.verify.manifest import Manifest, ShardDigest, SourceRecord, manifest_path

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub_snapshot import HubSnapshot
    from qwq_gguf.quantize.recipe import Recipe

__all__ = ["ShardDigests", "Source", "make_manifest", "write_manifest"]

_WINDOW = 1 << 22


class Source(Protocol):
    """What a model is made from: a checkpoint, or a GGUF."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def shards(self) -> tuple[Path, ...]: ...
    @property
    def hub(self) -> HubSnapshot | None: ...


class ShardDigests:
    """The digests of a source's shards, in the making as long as the context lasts.

    Of shards that pass by, `passed` tells SHA-256 and size when all have; what the Hub lists
    goes first.
    """

    def __init__(
        self,
        source: Source,
        *,
        passed: Callable[[Path], tuple[str, int] | None] | None = None,
    ) -> None:
        self._source = source
        self._passed = passed
        self._stop = threading.Event()
        at_once = max(1, min(4, usable_processors() // 4))  # leave the cores to the run
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="shards")
        self._work = [self._pool.submit(self._digest, path) for path in source.shards]

    def __enter__(self) -> ShardDigests:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def ready(self) -> bool:
        """Whether `record` has nothing to wait for."""
        return all(work.done() for work in self._work)

    def record(self) -> SourceRecord:
        """Wait for all of them. ShardError when a shard changed or cannot be read."""
        shards = tuple(self._made(work.result()) for work in self._work)
        hub = self._source.hub
        if hub is not None:
            return SourceRecord(hub.repo, hub.commit, shards)
        folder = self._source.folder
        in_cache = folder.parent.name == "snapshots"
        repo = folder.parent.parent.name.removeprefix("models--").replace("--", "/")
        return SourceRecord(
            repo if in_cache else self._source.name, folder.name if in_cache else None, shards
        )

    def _made(self, digest: ShardDigest | Path) -> ShardDigest:
        if isinstance(digest, ShardDigest):
            return digest
        found = None if self._passed is None else self._passed(digest)
        if found is None:
            raise ShardError(
                "the digest of this shard is not known", path=digest, hint="--no-manifest"
            )
        sha256, size = found
        return ShardDigest(digest.name, size, sha256, "computed")

    def _digest(self, path: Path) -> ShardDigest | Path:
        """The digest; the path of a shard that may not be here yet, or no more."""
        listed = self._listed(path)
        if listed is not None:
            return listed
        hub = self._source.hub
        if hub is not None and hub.stream is not None and path.is_relative_to(hub.stream):
            return path
        digest = hashlib.sha256()
        window = memoryview(bytearray(_WINDOW))
        try:
            with os.fdopen(open_file(path), "rb", buffering=0) as file:
                before = file_identity(file.fileno())
                while not self._stop.is_set() and (count := file.readinto(window)):
                    digest.update(window[:count])
                after = file_identity(file.fileno())
        except OSError as error:
            raise ShardError(f"cannot be read: {error.strerror or error}", path=path) from error
        if before != after:
            raise ShardError("the shard changed while it was read", path=path)
        return ShardDigest(path.name, before[0], digest.hexdigest(), "computed")

    def _listed(self, path: Path) -> ShardDigest | None:
        """What the Hub says of a shard: its list of files, or the name its cache gives it."""
        hub = self._source.hub
        sha256 = listed_sha256(path, hub)
        if sha256 is None:
            return None
        file = None if hub is None else hub.file_at(path)
        size = None if file is None else file.size
        return ShardDigest(path.name, path.stat().st_size if size is None else size, sha256, "hub")


def make_manifest(
    files: Mapping[Path, Contents],
    source: SourceRecord,
    recipe: Recipe,
    options: Mapping[str, Any],
) -> Manifest:
    """The manifest of a model's files, in order, whose bytes come to these contents."""
    return Manifest(
        files=tuple(file_record(path.name, contents) for path, contents in files.items()),
        source=source,
        recipe=recipe.name,
        recipe_text=recipe.text,
        options=options,
        versions=tool_versions(),
    )


def write_manifest(manifest: Manifest, gguf: Path) -> Path:
    """Write the manifest beside its first GGUF, by rename, replacing an older one. OutputError."""
    path = manifest_path(gguf)
    write_file(path, manifest.text(), force=True)
    return path
