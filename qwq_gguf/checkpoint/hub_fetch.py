"""Bringing files of a snapshot into huggingface_hub's cache, with that client."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.hub_errors import translated
from qwq_gguf.checkpoint.hub_snapshot import HubFile, HubSnapshot
from qwq_gguf.errors import DiskSpaceError, HubConnectionError, HubNotFoundError

__all__ = ["SPARE", "DownloadProgress", "fetch", "gib"]

_SMALL = 16 * MIB
_AT_ONCE = 4  # small files; a large one fills the line alone
SPARE = 64 * MIB
"""What a disk needs beside the files themselves."""


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is: bytes that are here, of all, and the file in progress."""

    done: int
    total: int
    file: str


def fetch(
    snapshot: HubSnapshot,
    names: Iterable[str],
    *,
    progress: Callable[[DownloadProgress], None] | None = None,
) -> None:
    """Have the files in `snapshot.folder`; those that are there already cost nothing.

    DiskSpaceError before anything is downloaded when the rest will not fit; HubError in one
    of its kinds otherwise. What is complete stays in the cache.
    """
    missing = [_wanted(snapshot, name) for name in names if not snapshot.is_here(name)]
    if not missing:
        return
    if snapshot.problem is not None:
        raise snapshot.problem
    _check_room(snapshot, missing)
    meter = _Meter(sum(file.size or 0 for file in missing), progress)
    small = [file for file in missing if (file.size or 0) <= _SMALL]
    large = [file for file in missing if (file.size or 0) > _SMALL]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(lambda file: _fetch_one(snapshot, file, meter), small):
            pass
    # In this thread, so that Ctrl-C reaches the client and stops it at once.
    for file in large:
        _fetch_one(snapshot, file, meter)


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


def _check_room(snapshot: HubSnapshot, missing: list[HubFile]) -> None:
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
            f"the download needs {gib(needed)}, and the disk has {gib(free)} free",
            path=snapshot.hub.cache,
            found=f"{free:,} bytes free",
            expected=f"{needed + SPARE:,} bytes for {len(missing)} file(s) of {snapshot.repo}",
            hint="make room, or point HF_HOME to another disk",
        )


def gib(size: int) -> str:
    """A size for people."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / MIB:.1f} MiB"


def _fetch_one(snapshot: HubSnapshot, file: HubFile, meter: _Meter) -> None:
    from huggingface_hub import hf_hub_download

    from qwq_gguf.checkpoint.hub_http import signed_in

    hub = snapshot.hub
    try:
        path = hf_hub_download(
            snapshot.repo,
            file.name,
            revision=snapshot.commit,
            cache_dir=hub.cache,
            endpoint=hub.endpoint,
            token=hub.token,
            library_name="qwq-gguf",
            tqdm_class=meter.bar(file.name),
        )
    except Exception as problem:  # its own, those of two HTTP libraries, and those of hf_xet
        raise translated(
            problem,
            hub,
            repo=snapshot.repo,
            revision=snapshot.revision,
            file=file.name,
            signed_in=signed_in(hub),
        ) from problem
    size = Path(path).stat().st_size
    if file.size is not None and size != file.size:
        raise HubConnectionError(
            "the download is not of the size that the Hub lists",
            path=path,
            found=f"{size:,} bytes",
            expected=f"{file.size:,} bytes",
            hint="delete this file and try again",
        )


class _Meter:
    """Adds up what several downloads report."""

    def __init__(self, total: int, report: Callable[[DownloadProgress], None] | None) -> None:
        self._total = total
        self._done = 0
        self._report = report
        self._lock = threading.Lock()

    def bar(self, name: str) -> Any:
        """The class of progress bar to hand to the client: it draws nothing."""
        meter = self

        class Bar:
            def __init__(self, *_: Any, initial: int = 0, **__: Any) -> None:
                meter.add(name, initial)

            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                pass

            def update(self, count: float | None = 1) -> None:
                meter.add(name, int(count or 0))

            # A download from Xet storage counts what travels apart from what it becomes.
            def update_transfer(self, count: float | None = 1) -> None:
                pass

            def set_postfix_str(self, text: str, refresh: bool = False) -> None:
                pass

            def set_transfer_postfix_str(self, text: str, refresh: bool = False) -> None:
                pass

            def close(self) -> None:
                pass

        return Bar

    def add(self, name: str, count: int) -> None:
        with self._lock:
            self._done += count
            if self._report is not None and count:
                self._report(DownloadProgress(min(self._done, self._total), self._total, name))
