"""The cache folder of huggingface_hub, by its documented layout; the client is not needed.

    models--org--name/refs/main                     the commit that main was, last time
    models--org--name/snapshots/<commit>/<file>     a link into ../../blobs

https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from qwq_gguf.checkpoint.hub.settings import HubSettings
from qwq_gguf.errors import OutputError
from qwq_gguf.files.reading import read_file
from qwq_gguf.files.writing import write_file

__all__ = [
    "COMMIT",
    "cached_commit",
    "cached_files",
    "is_blob",
    "lies_in_cache",
    "remember_commit",
    "repository_folder",
    "snapshot_folder",
]

COMMIT = re.compile(r"[0-9a-f]{40}")
_MAX_FILES = 100_000


def snapshot_folder(hub: HubSettings, repo: str, commit: str) -> Path:
    """Where the files of one commit are, or will be."""
    return repository_folder(hub, repo) / "snapshots" / commit


def cached_commit(hub: HubSettings, repo: str, revision: str) -> str | None:
    """The commit that `revision` was when it was last looked up; None if it never was."""
    if COMMIT.fullmatch(revision):
        return revision
    try:
        commit = read_file(_reference(hub, repo, revision), 100).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return commit if COMMIT.fullmatch(commit) else None


def remember_commit(hub: HubSettings, repo: str, revision: str, commit: str) -> None:
    """Note what `revision` is now, so that it can be found offline. Failing is no error."""
    if COMMIT.fullmatch(revision):
        return
    path = _reference(hub, repo, revision)
    try:
        if path.is_file() and read_file(path, 100) == commit.encode():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, commit, force=True)
    except (OSError, OutputError):
        pass


def cached_files(folder: Path) -> dict[str, int]:
    """Name and size of every file of a snapshot that is here."""
    found: dict[str, int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                found[path.relative_to(folder).as_posix()] = path.stat().st_size
            except OSError:  # a link whose blob was deleted
                continue
            if len(found) >= _MAX_FILES:
                return found
    return found


def lies_in_cache(path: Path, snapshot: Path) -> bool:
    """Whether a file of a snapshot's folder is one, and leads to where the cache keeps content:
    `blobs/` of the repository, or the `blobs/xx/` that all repositories share. On a disk
    without links it is the content itself.
    """
    try:
        target, home = path.resolve(), snapshot.resolve()
        repository = home.parent.parent
        places = (repository / "blobs", repository.parent / "blobs" / target.name[:2])
        return (target.parent in places or target.is_relative_to(home)) and target.is_file()
    except (OSError, ValueError, RuntimeError):  # links in a circle
        return False


def is_blob(path: Path, size: int) -> bool:
    """Whether the content of so many bytes is in `blobs/`: there itself, or as a link to the
    `blobs/xx/` that all repositories share.
    """
    try:
        target, home = path.resolve(), path.parent.resolve()
        places = (home, home.parent.parent / "blobs" / target.name[:2])
        return target.parent in places and target.is_file() and target.stat().st_size == size
    except (OSError, RuntimeError):
        return False


def repository_folder(hub: HubSettings, repo: str) -> Path:
    """Where the cache keeps all of a repository."""
    return hub.cache / f"models--{repo.replace('/', '--')}"


def _reference(hub: HubSettings, repo: str, revision: str) -> Path:
    return repository_folder(hub, repo) / "refs" / Path(*revision.split("/"))
