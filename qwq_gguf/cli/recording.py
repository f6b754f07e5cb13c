"""The manifest that `quantize` writes beside its result."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from qwq_gguf.cli.output import note

if TYPE_CHECKING:
    from qwq_gguf.checkpoint import Checkpoint
    from qwq_gguf.quantize.recipe import Recipe
    from qwq_gguf.verify.follow import WriteFollower
    from qwq_gguf.verify.record import ShardDigests

__all__ = ["ManifestFlag", "Recording", "named_file"]

ManifestFlag: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--manifest/--no-manifest",
        help="Write where the file came from, and every digest, beside it.",
    ),
]


def named_file(path: str | None) -> dict[str, str] | None:
    """A file that was an option, for the manifest: by its name and digest, not its place."""
    if path is None:
        return None
    import hashlib

    with Path(path).open("rb") as file:
        return {"name": Path(path).name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


class Recording:
    """What happens inside is to have a manifest; digests are computed meanwhile.

    A manifest that a replaced GGUF leaves behind is removed, wanted or not.
    """

    def __init__(self, checkpoint: Checkpoint, *, wanted: bool) -> None:
        self.follower: WriteFollower | None = None
        self._checkpoint = checkpoint
        self._wanted = wanted
        self._shards: ShardDigests | None = None
        self._open = ExitStack()

    def __enter__(self) -> Recording:
        if self._wanted:
            from qwq_gguf.verify.follow import WriteFollower
            from qwq_gguf.verify.record import ShardDigests

            self._shards = self._open.enter_context(ShardDigests(self._checkpoint))
            self.follower = self._open.enter_context(WriteFollower())
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def write(self, gguf: Path, recipe: Recipe, options: Mapping[str, Any]) -> None:
        """The manifest of the file just made. `options` are those that change its bytes."""
        from qwq_gguf.verify.manifest import manifest_path

        manifest_path(gguf).unlink(missing_ok=True)  # it describes the file that was replaced
        if self._shards is None or self.follower is None:
            return
        from qwq_gguf.verify.record import make_manifest, write_manifest

        if not self._shards.ready:  # a disk slower than the kernels
            note("reading the rest of the shards for the manifest (--no-manifest goes without)")
        contents, source = self.follower.contents(), self._shards.record()
        manifest = make_manifest(gguf, contents, source, recipe, options)
        path = write_manifest(manifest, gguf)
        note(f"{path}: sha256 {manifest.file.sha256}")
