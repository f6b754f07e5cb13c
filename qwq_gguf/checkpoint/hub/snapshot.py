"""One commit of a repository on the Hub: which files it has, of which size and digest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.hub.cache import (
    COMMIT,
    cached_commit,
    cached_files,
    lies_in_cache,
    remember_commit,
    snapshot_folder,
)
from qwq_gguf.checkpoint.hub.errors import offline
from qwq_gguf.checkpoint.hub.name import check_revision
from qwq_gguf.checkpoint.hub.settings import HubSettings
from qwq_gguf.errors import HubConnectionError, HubError
from qwq_gguf.json_text import parse_json
from qwq_gguf.words import is_plain, message_of

__all__ = ["HubFile", "HubSnapshot", "open_snapshot"]

# Some 300 bytes a file. Its values take up to 35 times the room once they are read.
_MAX_LISTING = 8 * MIB
_MAX_FILES = 20_000
_MAX_SIZE = 1 << 42
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA1 = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubFile:
    """`size` in bytes and `sha256` in hex, each None where the Hub does not say.

    `blob` is git's own SHA-1 of a small file that lies in git itself.
    """

    name: str
    size: int | None = None
    sha256: str | None = None
    blob: str | None = None


@dataclass(frozen=True, slots=True)
class HubSnapshot:
    """`revision` as it was named, pinned to `commit` at the first look.

    `folder` is the snapshot's own in the cache, whether or not the files are there yet.
    `problem` is why the Hub was not asked, when `files` is only what the cache holds.
    `stream` is where files lie, each for a while, that are not to go into the cache.
    """

    hub: HubSettings
    repo: str
    revision: str
    commit: str
    folder: Path
    files: Mapping[str, HubFile]
    problem: HubConnectionError | None = None
    stream: Path | None = None

    @property
    def page(self) -> str:
        """The web page of the repository."""
        return self.hub.page(self.repo)

    @property
    def called(self) -> str:
        """What a user calls the repository."""
        return self.hub.called(self.repo)

    def is_here(self, name: str) -> bool:
        """Whether the file is in the cache, and of the size that is listed."""
        path, file = self.folder / name, self.files.get(name)
        if not lies_in_cache(path, self.folder):
            return False
        return file is None or file.size is None or path.stat().st_size == file.size

    def name_of(self, path: Path) -> str:
        """What the Hub calls the file at `path`. ValueError for a path of somewhere else."""
        if self.stream is not None and path.is_relative_to(self.stream):
            return path.relative_to(self.stream).as_posix()
        return path.relative_to(self.folder).as_posix()

    def file_at(self, path: Path) -> HubFile | None:
        """What the Hub lists of the file at `path`, if it does."""
        return self.files.get(self.name_of(path))


def open_snapshot(hub: HubSettings, repo: str, revision: str | None = None) -> HubSnapshot:
    """What `revision` (default: main, or what it is called there) of `repo` holds at this moment.

    Asks the Hub. Where that may not or cannot be asked, what the cache knows is taken, with
    the reason as `problem`. HubError in one of its kinds when neither has an answer.
    """
    revision = check_revision(revision) or hub.default_revision
    if hub.offline:
        return _cached(hub, repo, revision, offline(hub, repo, revision))
    try:
        return _listed(hub, repo, revision)
    except HubConnectionError as problem:
        return _cached(hub, repo, revision, problem)


def _cached(hub: HubSettings, repo: str, revision: str, problem: HubConnectionError) -> HubSnapshot:
    commit = cached_commit(hub, repo, revision)
    folder = snapshot_folder(hub, repo, commit) if commit else None
    if commit is None or folder is None or not folder.is_dir():
        raise problem
    files = {name: HubFile(name, size) for name, size in sorted(cached_files(folder).items())}
    return HubSnapshot(hub, repo, revision, commit, folder, files, problem)


def _listed(hub: HubSettings, repo: str, revision: str) -> HubSnapshot:
    from qwq_gguf.checkpoint.hub.http import get

    url = hub.listing_url(repo, revision)
    answer = get(hub, url, limit=_MAX_LISTING, repo=repo, revision=revision)
    try:
        listing = hub.listing_of(parse_json(answer.content), revision)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise _nonsense(repo, message_of(str(problem)) or "no JSON", hub) from problem
    commit = listing.get("sha") if isinstance(listing, dict) else None
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise _nonsense(repo, f"commit {_shown(commit)}", hub)
    if COMMIT.fullmatch(revision) and commit != revision:
        raise _nonsense(repo, f"commit {commit} for {revision}", hub)
    entries = listing.get("siblings")
    if not isinstance(entries, list) or len(entries) > _MAX_FILES:
        raise _nonsense(repo, "no list of files, or an absurd one", hub)
    files: dict[str, HubFile] = {}
    for entry in entries:
        file = _file(entry, repo, hub)
        if file.name in files:
            raise _nonsense(repo, f"{_shown(file.name)} twice", hub)
        files[file.name] = file
    remember_commit(hub, repo, revision, commit)
    folder = snapshot_folder(hub, repo, commit)
    return HubSnapshot(hub, repo, revision, commit, folder, dict(sorted(files.items())))


def _file(entry: Any, repo: str, hub: HubSettings) -> HubFile:
    name = entry.get("rfilename") if isinstance(entry, dict) else None
    if not isinstance(name, str) or not name:
        raise _nonsense(repo, f"a file called {_shown(name)}", hub)
    if not _stays_inside(name) or not is_plain(name):
        outside = not _stays_inside(name)
        raise HubError(
            "the Hub lists a file outside the repository"
            if outside
            else "the Hub lists a file whose name would deceive",
            path=repo,
            found=_shown(name),
            hint="do not use this repository, and report it",
        )
    # A large file is a pointer in git, whose size some mirrors give instead.
    pointer = entry.get("lfs")
    lfs = pointer if isinstance(pointer, dict) else {}
    blob = None if pointer else entry.get("blobId")
    size, digest = lfs.get("size", entry.get("size")), lfs.get("sha256")
    absurd = not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE
    if size is not None and absurd:
        raise _nonsense(repo, f"{_shown(name)} of {_shown(size)} bytes", hub)
    return HubFile(name, size, _hex(digest, _SHA256), _hex(blob, _SHA1))


def _hex(value: Any, form: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _shown(value: Any) -> str:
    """For a message: texts and numbers as they are, of others the kind. (They may be deep.)"""
    if isinstance(value, str):
        return repr(message_of(value, 80))
    return str(value) if isinstance(value, (int, float)) else type(value).__name__


def _stays_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return (
        len(name) <= 1000
        and "\0" not in name
        and "\\" not in name
        and not name.endswith("/")
        and "/".join(parts) == name  # no //, no ./, and nothing absolute
        and ".." not in parts
        and not PureWindowsPath(name).drive
    )


def _nonsense(repo: str, found: str, hub: HubSettings) -> HubError:
    return HubError(
        "this server does not describe the repository as a Hub does",
        path=repo,
        found=found,
        hint=f"check {hub.endpoint_variable} (it is {hub.endpoint}) and the proxy",
    )
