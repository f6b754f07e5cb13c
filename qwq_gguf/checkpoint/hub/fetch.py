"""Bringing files of a snapshot into the cache that huggingface_hub shares with other tools."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.hub.blob import bring_file
from qwq_gguf.checkpoint.hub.connection import Line
from qwq_gguf.checkpoint.hub.snapshot import HubFile, HubSnapshot
from qwq_gguf.errors import DiskSpaceError, HubError, HubNotFoundError
from qwq_gguf.words import human_bytes

__all__ = ["SPARE", "DownloadProgress", "Fetched", "fetch"]

_STEP = MIB  # between two reports
_AT_ONCE = 4  # files; content networks bound each connection
SPARE = 64 * MIB
"""What a disk needs beside the files themselves."""


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is: bytes that are here, of all, and a file in progress."""

    done: int
    total: int
    file: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came just now: the bytes of a file and their SHA-256, computed on the way."""

    nbytes: int
    sha256: str


def fetch(
    snapshot: HubSnapshot,
    names: Iterable[str],
    *,
    limits: Mapping[str, int] | None = None,
    progress: Callable[[DownloadProgress], None] | None = None,
) -> dict[str, Fetched]:
    """Have the files in `snapshot.folder`; those that are there already cost nothing, and are
    not among what is returned. `limits`: the most bytes that a file of a name may have.

    DiskSpaceError before anything is downloaded when the rest will not fit; ShardError for
    bytes that are not those that the Hub lists; HubError in one of its kinds otherwise. What
    is complete stays in the cache.
    """
    missing = [_wanted(snapshot, name) for name in names if not snapshot.is_here(name)]
    if not missing:
        return {}
    if snapshot.problem is not None:
        raise snapshot.problem
    _check_disk(snapshot, missing)
    meter = _Meter(missing, progress)
    lines = {file.name: Line() for file in missing}

    def bring(file: HubFile) -> str | None:
        limit = None if limits is None else limits.get(file.name)
        line, report = lines[file.name], meter.of(file.name)
        return bring_file(snapshot, file, line=line, report=report, limit=limit)

    found = {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="download") as pool:
        work = {pool.submit(bring, file): file for file in missing}
        try:
            for done in as_completed(work):
                file, digest = work[done], done.result()
                if not snapshot.is_here(file.name):
                    raise HubError(
                        "the download is not where the cache should have it",
                        path=snapshot.folder / file.name,
                        hint="delete this file and try again",
                    )
                if digest is not None:
                    nbytes = (snapshot.folder / file.name).stat().st_size
                    found[file.name] = Fetched(nbytes, digest)
        except BaseException:  # Ctrl-C as well
            for line in lines.values():
                line.stop()
            pool.shutdown(cancel_futures=True)
            raise
    return found


def _wanted(snapshot: HubSnapshot, name: str) -> HubFile:
    file = snapshot.files.get(name)
    if file is None:
        if snapshot.problem is not None:
            raise snapshot.problem
        raise HubNotFoundError(
            "there is no such file in this revision",
            path=snapshot.repo,
            found=name,
            hint=f"see {snapshot.page}/tree/{snapshot.commit}",
        )
    return file


def _check_disk(snapshot: HubSnapshot, missing: list[HubFile]) -> None:
    needed = sum(file.size or 0 for file in missing)
    folder = snapshot.hub.cache
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # not every filesystem tells
        return
    if needed + SPARE > free:
        raise DiskSpaceError(
            f"the download needs {human_bytes(needed)}, and the disk has {human_bytes(free)} free",
            path=snapshot.hub.cache,
            found=f"{free:,} bytes free",
            expected=f"{needed + SPARE:,} bytes for {len(missing)} file(s) of {snapshot.repo}",
            hint="make room, or point HF_HOME to another disk",
        )


class _Meter:
    """Adds up what several downloads report."""

    def __init__(
        self, files: Sequence[HubFile], report: Callable[[DownloadProgress], None] | None
    ) -> None:
        self._sizes = {file.name: file.size or 0 for file in files}
        self._total = sum(self._sizes.values())
        self._report = report
        self._here = dict.fromkeys(self._sizes, 0)
        self._said = -_STEP
        self._lock = threading.Lock()

    def of(self, name: str) -> Callable[[int], None]:
        """What to tell how many bytes of a file are here."""

        def report(position: int) -> None:
            with self._lock:
                self._here[name] = position
                done = sum(self._here.values())
                told = abs(done - self._said) >= _STEP or done >= self._total
                if self._report is not None and told:
                    self._said = done
                    self._report(DownloadProgress(min(done, self._total), self._total, self._next))

        return report

    @property
    def _next(self) -> str:
        """The first file that is not whole, so that a bar does not flicker between several."""
        unfinished = (name for name, size in self._sizes.items() if self._here[name] < size)
        return next(unfinished, next(reversed(self._sizes)))
