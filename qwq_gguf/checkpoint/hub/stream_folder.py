"""The folder in which shards that pass by lie for a while, and what is left of one.

It asks nothing of the Hub: whoever made a file from any source clears what an earlier run left.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

__all__ = ["clear", "remove_empty", "stream_folder", "taken"]

_OURS = (".safetensors", ".incomplete", ".sha256")


def stream_folder(path: Path) -> Path:
    """Where the shards for the result at `path` lie, each for a while."""
    return path.with_name(f".{path.name}.shards")


def clear(folder: Path, keep: Collection[Path] = ()) -> None:
    """Remove the files of a stream that are not to be kept, or are empty; no others."""
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names if name.endswith(_OURS)):
            if path not in keep or path.lstat().st_size == 0:
                path.unlink(missing_ok=True)


def remove_empty(folder: Path) -> None:
    """Remove the folder, if nothing lies in it, and likewise those in it."""
    for parent, _, _ in os.walk(folder, topdown=False):
        try:
            Path(parent).rmdir()
        except OSError:  # something lies there
            pass


def taken(folder: Path) -> int:
    """The bytes of disk that the files of a folder take."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_blocks * 512
            except OSError:  # gone meanwhile
                continue
    return total
