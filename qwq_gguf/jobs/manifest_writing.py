"""The manifest that `quantize` writes beside its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.jobs.events import Delayed, Report, Wrote

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from qwq_gguf.jobs.source import Source
    from qwq_gguf.quantization.planning.plan import Plan
    from qwq_gguf.quantization.recipes.recipe import Recipe
    from qwq_gguf.verification.manifest import Manifest, SourceRecord
    from qwq_gguf.verification.record import ShardDigests
    from qwq_gguf.verification.running_digests import WriteFollower

__all__ = ["Recording", "named_adapters", "named_file"]


def named_file(path: str | None) -> dict[str, str] | None:
    """A file that was an option, for the manifest: by its name and digest, not its place."""
    if path is None:
        return None
    import hashlib

    with Path(path).open("rb") as file:
        return {"name": Path(path).name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def named_adapters(folders: Sequence[str]) -> list[dict[str, Any]]:
    """Adapters that were options, for the manifest: by the folder's name and the digests of
    what decides the result.
    """
    from qwq_gguf.checkpoint import open_adapter

    adapters = [open_adapter(folder) for folder in folders]
    return [
        {
            "name": adapter.name,
            "files": [named_file(str(file)) for file in adapter.files],
        }
        for adapter in adapters
    ]


class Recording:
    """What happens inside is to have manifests; digests are computed meanwhile.

    A manifest that a replaced GGUF leaves behind is removed, wanted or not.
    """

    def __init__(
        self,
        source: Source,
        *,
        report: Report,
        wanted: bool,
        models: int = 1,
        passed: Callable[[Path], tuple[str, int] | None] | None = None,
    ) -> None:
        """`models`: how many are written side by side. `passed`: see ShardDigests."""
        self._source = source
        self._report = report
        self._wanted = wanted
        self._models = models
        self._passed = passed
        self._shards: ShardDigests | None = None
        self._record: SourceRecord | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._open = ExitStack()

    def __enter__(self) -> Recording:
        if self._wanted:
            from concurrent.futures import ThreadPoolExecutor

            from qwq_gguf.verification.record import ShardDigests

            self._shards = self._open.enter_context(ShardDigests(self._source, passed=self._passed))
            # Of each model the file that is written now, and the one finished just before.
            pool = ThreadPoolExecutor(2 * self._models, thread_name_prefix="follow")
            self._pool = self._open.enter_context(pool)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def follow(self, plan: Plan) -> tuple[WriteFollower, ...]:
        """A follower for each of the plan's files, or none."""
        if self._pool is None:
            return ()
        from qwq_gguf.verification.running_digests import WriteFollower

        return tuple(self._open.enter_context(WriteFollower(self._pool)) for _ in plan.parts)

    def check(self) -> None:
        """Raise what is known by now to be wrong with the source."""
        if self._shards is not None:
            self._shards.check()

    def settle(self) -> None:
        """Have the digests of all of the source; raise what is wrong with it."""
        if self._shards is None:
            return
        if not self._shards.ready:  # a disk slower than the kernels
            self._report(
                Delayed(
                    "reading the rest of the shards for the manifest (--no-manifest goes without)"
                )
            )
        self._record = self._shards.record()

    def write(
        self,
        files: Sequence[Path],
        followers: Sequence[WriteFollower],
        recipe: Recipe,
        options: Mapping[str, Any],
    ) -> Manifest | None:
        """The manifest of a model just made, after `settle`, and its file; None where none is
        wanted. `options`: what changes its bytes.
        """
        from qwq_gguf.verification.manifest import manifest_path

        first = files[0]
        manifest_path(first).unlink(missing_ok=True)  # it describes the file that was replaced
        if self._record is None:
            return None
        from qwq_gguf.verification.record import make_manifest, write_manifest

        contents = {
            path: follower.contents() for path, follower in zip(files, followers, strict=True)
        }
        manifest = make_manifest(contents, self._record, recipe, options)
        path = write_manifest(manifest, first)
        if len(files) == 1:
            told = f"sha256 {manifest.files[0].file.sha256}"
        else:
            told = f"the sha256 of each of the {len(files)} files"
        self._report(Wrote(path, told))
        return manifest
