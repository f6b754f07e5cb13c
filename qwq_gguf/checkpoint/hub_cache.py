"""The cache folder of huggingface_hub, by its documented layout; the client is not needed.

    models--org--name/refs/main                     the commit that main was, last time
    models--org--name/snapshots/<commit>/<file>     a link into ../../blobs

https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from qwq_gguf.checkpoint.hub_settings import HubSettings
from qwq_gguf.errors import OutputError
from qwq_gguf.outputs import write_file

__all__ = ["COMMIT", "cached_commit", "cached_files", "remember_commit", "snapshot_folder"]

COMMIT = re.compile(r"[0-9a-f]{40}")
_MAX_FILES = 100_000


def snapshot_folder(hub: HubSettings, repo: str, commit: str) -> Path:
    """Where the files of one commit are, or will be."""
    return _repository(hub, repo) / "snapshots" / commit


def cached_commit(hub: HubSettings, repo: str, revision: str) -> str | None:
    """The commit that `revision` was when it was last looked up; None if it never was."""
    if COMMIT.fullmatch(revision):
        return revision
    try:
        commit = _reference(hub, repo, revision).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return commit if COMMIT.fullmatch(commit) else None


def remember_commit(hub: HubSettings, repo: str, revision: str, commit: str) -> None:
    """Note what `revision` is now, so that it can be found offline. Failing is no error."""
    if COMMIT.fullmatch(revision):
        return
    path = _reference(hub, repo, revision)
    try:
        if path.is_file() and path.read_bytes() == commit.encode():
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


def _repository(hub: HubSettings, repo: str) -> Path:
    return hub.cache / f"models--{repo.replace('/', '--')}"


def _reference(hub: HubSettings, repo: str, revision: str) -> Path:
    return _repository(hub, repo) / "refs" / Path(*revision.split("/"))
