"""Shards of the Hub that come one after the other, and go when they are used.

    the run     |-- shard 1 --|-- shard 2 --|-- shard 3 --|
    this thread    2 comes       3 comes        4 comes

At most two lie on the disk: the one that is worked on and the one that comes; more only where
weights and their scales are in shards that don't follow each other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.hub.checkpoint import check_planned
from qwq_gguf.checkpoint.hub.connection import Line, Stopped
from qwq_gguf.checkpoint.hub.download import Download, partial_path
from qwq_gguf.checkpoint.hub.fetch import DownloadProgress
from qwq_gguf.checkpoint.hub.retry import PATIENT, RetryPolicy
from qwq_gguf.checkpoint.hub.snapshot import HubFile
from qwq_gguf.checkpoint.hub.stream import (
    AT_ONCE,
    Groups,
    check_room,
    is_streamed,
    most_at_once,
    shard_bytes,
    shard_file,
    streaming,
)
from qwq_gguf.checkpoint.hub.stream_folder import clear, remove_empty, taken
from qwq_gguf.checkpoint.values import Checkpoint
from qwq_gguf.errors import OutputError, SourceError
from qwq_gguf.files.reading import read_file
from qwq_gguf.files.writing import write_file
from qwq_gguf.locks import lock
from qwq_gguf.words import human_bytes

__all__ = ["HubSupply"]

POLICY = PATIENT
_STEP = MIB  # between two reports


class HubSupply:
    """Has the shards of a `streamed` checkpoint there when they are read.

    A Supply of quantization/running/supply.py, and a context around the whole run: at its end
    the thread is gone, and the folder too, unless something lies there that another run can
    use; the exception that ends it has a note that says so. `progress` is called on the thread.
    """

    by_shard = True

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        groups: Groups = frozenset(),
        progress: Callable[[DownloadProgress], None] | None = None,
        policy: RetryPolicy | None = None,
        line: Line | None = None,
    ) -> None:
        """`groups`: shards that some tensor needs together."""
        self._checkpoint = checkpoint
        self._snapshot, self._folder = streaming(checkpoint)
        self._groups = groups
        self._at_once = AT_ONCE
        self._progress = progress
        self._policy = POLICY if policy is None else policy
        self._line = Line() if line is None else line
        self._change = threading.Condition()
        self._needed: tuple[Path, ...] = ()
        self._whole: set[Path] = set()
        self._done: set[Path] = set()
        self._digests: dict[Path, str] = {}
        self._problem: BaseException | None = None
        self._begun = False
        self._thread: threading.Thread | None = None
        self._lock = -1

    def begin(self, shards: Sequence[Path]) -> None:
        """Start to download those of these that are streamed, in this order.

        OutputError when the folder cannot be made or another run uses it; DiskSpaceError
        when as many as have to lie there will not fit.
        """
        if self._begun:
            raise ValueError("a supply begins once")
        self._begun = True
        self._needed = tuple(path for path in shards if is_streamed(self._checkpoint, path))
        self._at_once = most_at_once(self._needed, self._groups)
        if not self._needed and not self._folder.is_dir():
            return
        try:
            self._open_folder()
        except OSError as problem:
            raise OutputError(
                f"cannot be made: {problem.strerror or problem}", path=self._folder
            ) from problem
        check_room(self._checkpoint, 0, shards=self._needed, groups=self._groups)
        self._thread = threading.Thread(target=self._work, name="download", daemon=True)
        self._thread.start()

    def bring(self, shard: Path) -> None:
        """Return when the shard is whole at its path; raise what kept it from coming."""
        if shard not in self._needed:
            if is_streamed(self._checkpoint, shard):
                raise ValueError(f"{shard} is none of the shards that were to be needed")
            return
        with self._change:
            self._change.wait_for(lambda: shard in self._whole or self._problem is not None)
            if shard in self._done:
                raise ValueError(f"{shard} was said to be done")
            if shard not in self._whole:
                if isinstance(self._problem, Stopped) or self._problem is None:
                    raise SourceError("the download was stopped", path=shard)
                raise self._problem

    def done(self, shard: Path) -> None:
        """Delete the shard, if it is one of ours; the one after the next may come."""
        if shard not in self._needed:
            return
        shard.unlink(missing_ok=True)
        with self._change:
            self._done.add(shard)
            self._change.notify_all()

    def stop(self, problem: BaseException | None = None) -> None:
        """End the download and every `bring` that waits. What is here stays."""
        with self._change:
            if self._problem is None:
                self._problem = problem or Stopped()
            self._change.notify_all()
        self._line.stop()

    def passed(self, shard: Path) -> tuple[str, int] | None:
        """SHA-256 and size of a shard that this run or the ones it goes on from brought.

        None for one that none of them did.
        """
        size = shard_bytes(self._checkpoint, shard)
        with self._change:
            if shard in self._digests:
                return self._digests[shard], size
        try:
            text = read_file(_note(shard), 100).decode("ascii")
        except (OSError, ValueError):
            return None
        return (text, size) if len(text) == 64 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()
        if self._lock >= 0:
            finished = error is None and len(self._done) == len(self._needed)
            clear(self._folder, keep=() if finished else set(self._useful(self._needed)))
            remove_empty(self._folder)
            left = taken(self._folder)
            if error is not None and left:
                error.add_note(
                    f"{self._folder}: {human_bytes(left)} of shards stay for the next run; "
                    "delete the folder if there will be none"
                )
            os.close(self._lock)
            self._lock = -1

    # ---------------------------------------------------------------- the thread

    def _work(self) -> None:
        try:
            for number, path in enumerate(self._needed):
                self._wait_for_place(number)
                digest = self._download(path)
                # Before anything is made of it: a run that goes on when it has gone has no
                # other word for what it was than what is listed.
                write_file(_note(path), digest, force=True)
                with self._change:
                    self._whole.add(path)
                    self._digests[path] = digest
                    self._change.notify_all()
        except BaseException as problem:
            with self._change:
                if self._problem is None:
                    self._problem = problem
                self._change.notify_all()

    def _wait_for_place(self, number: int) -> None:
        """Return when so few of the shards before this one still lie here that it may come."""
        with self._change:
            self._change.wait_for(
                lambda: number - len(self._done) < self._at_once or self._problem is not None
            )
        self._line.check()

    def _download(self, path: Path) -> str:
        file = shard_file(self._checkpoint, path)
        digest = Download(
            self._snapshot,
            file,
            path,
            shard_bytes(self._checkpoint, path),
            policy=self._policy,
            line=self._line,
            report=self._meter(path, file),
        ).run()
        try:
            check_planned(self._checkpoint, path)
        except SourceError:
            path.unlink(missing_ok=True)
            raise
        return digest

    def _meter(self, path: Path, file: HubFile) -> Callable[[int], None]:
        sizes = [shard_bytes(self._checkpoint, shard) for shard in self._needed]
        number = self._needed.index(path)
        before, size, total = sum(sizes[:number]), sizes[number], sum(sizes)
        last = -_STEP

        def report(position: int) -> None:
            nonlocal last
            if self._progress is not None and (
                abs(position - last) >= _STEP or position in (0, size)
            ):
                last = position
                self._progress(DownloadProgress(before + position, total, file.name))

        return report

    # ---------------------------------------------------------------- the folder

    def _open_folder(self) -> None:
        if self._folder.is_symlink():
            raise OutputError("is a link, where shards are to be put", path=self._folder)
        self._folder.mkdir(exist_ok=True)
        self._lock = os.open(self._folder, os.O_RDONLY)
        if not lock(self._lock):
            os.close(self._lock)
            self._lock = -1
            raise OutputError(
                "another run puts its shards here", path=self._folder, hint="wait until it ends"
            )
        # Of what an earlier run left, no more is kept than may lie here.
        clear(self._folder, keep=set(self._useful(self._needed[: self._at_once])))

    def _useful(self, shards: Iterable[Path]) -> Iterator[Path]:
        """Where these may lie, whole or in part; and what is known of those that have gone."""
        for path in shards:
            yield path
            yield partial_path(path, shard_file(self._checkpoint, path), self._snapshot.commit)
        yield from map(_note, self._checkpoint.shards)


def _note(shard: Path) -> Path:
    """Where the digest of a shard lies when the shard has gone."""
    return shard.with_name(f"{shard.name}.sha256")
