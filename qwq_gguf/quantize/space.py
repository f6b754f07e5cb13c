"""Whether files can be written, all of them, before the first is begun."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from qwq_gguf.errors import OutputError
from qwq_gguf.quantize.output import gigabytes

__all__ = ["check_room", "refuse_sources"]


def check_room(missing: Mapping[Path, int]) -> None:
    """OutputError unless these files can grow by so many bytes together."""
    disks: defaultdict[int, list[Path]] = defaultdict(list)
    for path, nbytes in missing.items():
        if nbytes:
            disks[_disk(path.parent)].append(path)
    for paths in disks.values():
        folder = paths[0].parent
        free, needed = shutil.disk_usage(folder).free, sum(missing[path] for path in paths)
        if free < needed:
            several = len(paths) > 1
            raise OutputError(
                "the disk is too small" + (" for all of them" if several else ""),
                path=folder,
                found=f"{gigabytes(free)} free",
                expected=f"{gigabytes(needed)} for "
                + (f"{len(paths)} files" if several else paths[0].name),
                hint="make space, choose another folder, or make "
                + ("fewer or smaller ones" if several else "a smaller one"),
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
