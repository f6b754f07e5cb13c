"""Making the manifest of a GGUF that was just written.

A manifest says only what was hashed here. Shards that are downloaded for the run are hashed
on the way; others, in a folder or in the Hub's cache, in threads beside the run, each read
once more, in a few megabytes. What the Hub lists is held against that, and never taken for
it. The digests of the GGUF come from follow.py.
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
from qwq_gguf.errors import ShardError, WrongShardError
from qwq_gguf.files.reading import open_file
from qwq_gguf.files.writing import write_file
from qwq_gguf.gguf_file.stored_values import file_identity
from qwq_gguf.machine import usable_processors
from qwq_gguf.quantization.writing.versions import tool_versions
from qwq_gguf.verification.contents import Contents, file_record
from qwq_gguf.verification.manifest import Manifest, ShardDigest, SourceRecord, manifest_path

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot
    from qwq_gguf.quantization.recipes.recipe import Recipe

__all__ = ["ShardDigests", "Shards", "make_manifest", "write_manifest"]

_WINDOW = 1 << 22


class Shards(Protocol):
    """What of a source the digests are about."""

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

    Of shards that pass by or came just now, `passed` tells the SHA-256 that was computed, and
    the size.
    """

    def __init__(
        self,
        source: Shards,
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

    def check(self) -> None:
        """What `record` would raise, as far as it is known now."""
        for work in self._work:
            if work.done():
                work.result()

    def record(self) -> SourceRecord:
        """Wait for all of them. ShardError when a shard changed or cannot be read,
        WrongShardError when it is not what the Hub lists.
        """
        shards = tuple(self._made(work.result()) for work in self._work)
        hub = self._source.hub
        if hub is not None:
            return SourceRecord(hub.called, hub.commit, shards)
        folder = self._source.folder
        in_cache = folder.parent.name == "snapshots"
        repo = folder.parent.parent.name.removeprefix("models--").replace("--", "/")
        return SourceRecord(
            repo if in_cache else self._source.name, folder.name if in_cache else None, shards
        )

    def _made(self, digest: ShardDigest | Path) -> ShardDigest:
        if isinstance(digest, ShardDigest):
            return digest
        found = self._known(digest)
        if found is None:
            raise ShardError(
                "the digest of this shard is not known", path=digest, hint="--no-manifest"
            )
        return found

    def _known(self, path: Path) -> ShardDigest | None:
        found = None if self._passed is None else self._passed(path)
        return None if found is None else self._checked(path, *found)

    def _checked(self, path: Path, sha256: str, size: int) -> ShardDigest:
        """The digest that was computed; WrongShardError when another one is listed."""
        listed = listed_sha256(path, self._source.hub)
        if listed is not None and listed != sha256:
            raise WrongShardError(
                "the bytes of this file are not those that the Hub lists",
                path=path,
                found=f"sha256 {sha256}",
                expected=listed,
                hint="delete this file, and the one that it leads to, and download it again",
            )
        return ShardDigest(path.name, size, sha256, "computed")

    def _digest(self, path: Path) -> ShardDigest | Path:
        """The digest; the path of a shard that may not be here yet, or no more."""
        hub = self._source.hub
        if hub is not None and hub.stream is not None and path.is_relative_to(hub.stream):
            return path
        known = self._known(path)
        if known is not None:
            return known
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
        if self._stop.is_set():
            raise ShardError("the digest was not finished", path=path)
        return self._checked(path, digest.hexdigest(), before[0])


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
