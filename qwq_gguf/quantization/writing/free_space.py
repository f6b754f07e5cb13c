"""Whether files can be written, all of them, before the first is begun."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from qwq_gguf.errors import OutputError
from qwq_gguf.files.reading import read_file
from qwq_gguf.gguf_file.layout import MAGIC
from qwq_gguf.words import human_bytes

__all__ = ["check_free_space", "refuse_other_files"]


def check_free_space(missing: Mapping[Path, int]) -> None:
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
                found=f"{human_bytes(free)} free",
                expected=f"{human_bytes(needed)} for "
                + (f"{len(paths)} files" if several else paths[0].name),
                hint="make space, choose another folder, or make "
                + ("fewer or smaller ones" if several else "a smaller one"),
            )


def refuse_other_files(paths: Iterable[Path]) -> None:
    """OutputError where a GGUF would replace what is none, such as a config.json.

    `--force` is meant for an older GGUF; what is named so may be anything.
    """
    for path in paths:
        if path.suffix == ".gguf" or path.is_symlink() or not path.is_file():
            continue
        try:
            start = read_file(path, len(MAGIC))[: len(MAGIC)]
        except OSError:
            continue  # no more there, or said when it is written
        if start and start != MAGIC:
            raise OutputError(
                "is a file and no GGUF, so --force does not replace it",
                path=path,
                hint="choose another name, or remove it first",
            )


def _disk(folder: Path) -> int:
    return folder.stat().st_dev
