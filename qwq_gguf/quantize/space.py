"""Whether files can be written, all of them, before the first is begun."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from qwq_gguf.errors import OutputError
from qwq_gguf.quantize.output import check_path

__all__ = ["check_outputs", "refuse_sources"]


def check_outputs(sizes: Mapping[Path, int], *, force: bool) -> None:
    """OutputError unless files of these sizes can be made together."""
    disks: defaultdict[int, list[Path]] = defaultdict(list)
    for path in sizes:
        check_path(path, force=force)
        disks[_disk(path.parent)].append(path)
    for paths in disks.values():
        folder = paths[0].parent
        free, needed = shutil.disk_usage(folder).free, sum(sizes[path] for path in paths)
        if free < needed:
            raise OutputError(
                "the disk is too small for all of them",
                path=folder,
                found=f"{free / 1e9:.2f} GB free",
                expected=f"{needed / 1e9:.2f} GB for {len(paths)} files",
                hint="make space, choose another folder, or make fewer or smaller ones",
            )


def refuse_sources(paths: Iterable[Path], shards: Iterable[Path]) -> None:
    """OutputError where an output would replace a file that the weights are read from."""
    sources = {identity for shard in shards if (identity := _identity(shard)) is not None}
    for path in paths:
        if _identity(path) in sources:
            raise OutputError(
                "is what the weights are read from", path=path, hint="choose another name"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _disk(folder: Path) -> int:
    return folder.stat().st_dev
