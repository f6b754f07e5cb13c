"""One file of the Hub, downloaded to a path of our choice and verified on the way.

huggingface_hub downloads into its cache and keeps what it has. Here the bytes are hashed
as they come, what an interrupted run left is hashed and continued, and the file appears
at its path only when it is the one that the Hub lists.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.hub.connection import Line
from qwq_gguf.checkpoint.hub.exchange import BrokenAnswer, PassingFault
from qwq_gguf.checkpoint.hub.http import Tail, open_tail
from qwq_gguf.checkpoint.hub.retry import RetryPolicy
from qwq_gguf.checkpoint.hub.snapshot import HubFile, HubSnapshot
from qwq_gguf.errors import DiskSpaceError, HubConnectionError, HubError, OutputError, ShardError
from qwq_gguf.files.naming import create_or_open

__all__ = ["Download", "other_content", "partial_path"]

_WINDOW = MIB
# Content networks answer no request for more than some 50 GB: the rest is asked for again.
_MOST_AT_ONCE = 32 << 30
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_AGAIN = "run the same command again: what is complete is kept"


def partial_path(path: Path, file: HubFile, commit: str) -> Path:
    """Where a file lies before it is whole. Another content has another name."""
    return path.with_name(f"{path.name}.{(file.sha256 or file.blob or commit)[:16]}.incomplete")


def other_content(snapshot: HubSnapshot, file: HubFile, *, sha256: str, git: str) -> ShardError:
    """The error for a file that twice came with other digests than it is listed with."""
    return ShardError(
        "the download is not the file that the Hub lists, twice",
        path=f"{snapshot.repo}/{file.name}",
        found=f"sha256 {sha256}" if file.sha256 else f"git blob {git}",
        expected=file.sha256 or file.blob,
        hint="check HF_ENDPOINT, the proxy and the memory of this machine, then try again",
    )


class Download:
    """Brings one file; `run` once. `position` is how many bytes are here, from any thread.

    `size` is what the file has to have, by the listing or by its header.
    """

    def __init__(
        self,
        snapshot: HubSnapshot,
        file: HubFile,
        path: Path,
        size: int,
        *,
        policy: RetryPolicy,
        line: Line,
        report: Callable[[int], None],
    ) -> None:
        self._snapshot = snapshot
        self._file = file
        self._path = path
        self._size = size
        self._policy = policy
        self._line = line
        self._report = report
        self._partial = partial_path(path, file, snapshot.commit)
        self._ranges = True
        self._descriptor = -1
        self._position = 0
        self._begin_digests()

    def run(self) -> str:
        """Have the file at its path; its SHA-256 in hex.

        HubError in one of its kinds after all retries; ShardError when its digest is another
        one than listed, twice; DiskSpaceError and OutputError for what the disk refuses;
        Stopped. What is here stays for another run, except bytes that are known to be wrong.
        """
        try:
            self._descriptor = self._open()
            try:
                self._catch_up()
                self._fill()
                if not self._is_right():
                    # What an earlier run left may have been damaged, or a byte on the way.
                    self._start_over()
                    self._fill()
                    self._require_right()
            finally:
                os.close(self._descriptor)
            self._partial.replace(self._path)
        except OSError as problem:
            raise self._disk(problem) from problem
        return self._sha256.hexdigest()

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ours = self._path.is_file() and not self._path.is_symlink()
        if ours and not self._partial.exists():
            self._path.replace(self._partial)  # whole, but who knows what happened since
        return create_or_open(self._partial)

    def _begin_digests(self) -> None:
        self._sha256 = hashlib.sha256()
        self._git = hashlib.sha1(b"blob %d\0" % self._size, usedforsecurity=False)

    def _take(self, data: bytes) -> None:
        self._sha256.update(data)
        if self._file.sha256 is None and self._file.blob is not None:
            self._git.update(data)
        self._position += len(data)
        self._report(self._position)

    def _catch_up(self) -> None:
        """Hash what an earlier run left."""
        if os.fstat(self._descriptor).st_size > self._size:
            os.ftruncate(self._descriptor, 0)
        while data := os.read(self._descriptor, _WINDOW):
            self._line.check()
            self._take(data)

    def _start_over(self) -> None:
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._position = 0
        self._begin_digests()
        self._report(0)

    def _fill(self) -> None:
        farthest, failures = self._position, 0
        while self._position < self._size:
            try:
                self._receive()
            except PassingFault as fault:
                self._line.check()  # the fault may be our own hanging up
                if self._position >= farthest + self._policy.progress:
                    failures = 0
                farthest = max(farthest, self._position)
                failures += 1
                delay = self._policy.wait(failures, fault.asked)
                if delay is None:
                    fault.error.hint = f"{_AGAIN}; {fault.error.hint}"
                    raise fault.error from fault.__cause__
                self._line.pause(delay)

    def _receive(self) -> None:
        """Append what one answer holds of the rest."""
        hub, name = self._snapshot.hub, self._file.name
        self._line.check()
        start = self._position if self._ranges else 0
        stop = start + _MOST_AT_ONCE
        with open_tail(
            hub,
            self._snapshot.repo,
            self._snapshot.commit,
            name,
            start,
            silence=self._policy.silence,
            line=self._line,
            stop=stop if self._ranges and stop < self._size else None,
        ) as tail:
            self._check_place(tail)
            self._append(tail, min(stop, self._size) if self._ranges else self._size)

    def _check_place(self, tail: Tail) -> None:
        if tail.total is not None and tail.total != self._size:
            raise HubConnectionError(
                "the file is not of the size that the Hub lists",
                path=self._shown,
                found=f"{tail.total:,} bytes",
                expected=f"{self._size:,} bytes",
                hint="check HF_ENDPOINT and the proxy",
            )
        if tail.start == self._position:
            return
        if tail.start:
            self._ranges = False
            error = HubError("the Hub sends another part of the file", path=self._shown)
            raise PassingFault(error)
        self._start_over()

    def _append(self, tail: Tail, stop: int) -> None:
        clock, policy = self._line.clock, self._policy
        since, few = clock(), 0
        # Whatever comes between the pieces: headers of chunks, without end.
        tail.extend(2 * policy.slow_window)
        for chunk in tail.chunks:
            # Not a byte more than was listed, whatever comes.
            data = chunk[: self._size - self._position]
            self._write(data)
            self._take(data)
            if self._position >= stop:
                return
            few += len(data)
            now = clock()
            if now - since >= policy.slow_window:
                if few < policy.slow_bytes:
                    raise self._stalled(few, now - since)
                since, few = now, 0
                tail.extend(2 * policy.slow_window)
        raise BrokenAnswer(f"the answer ended at {self._position:,} of {self._size:,} bytes")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as problem:  # else it would pass for a fault of the connection
            raise self._disk(problem) from problem

    def _stalled(self, count: int, seconds: float) -> PassingFault:
        return PassingFault(
            HubConnectionError(
                "the Hub is too slow",
                path=self._shown,
                found=f"{count:,} bytes in {seconds:.0f} seconds",
                hint="try again later",
            )
        )

    def _is_right(self) -> bool:
        file = self._file
        if file.sha256 is not None:
            return self._sha256.hexdigest() == file.sha256
        return file.blob is None or self._git.hexdigest() == file.blob

    def _require_right(self) -> None:
        if self._is_right():
            return
        self._partial.unlink(missing_ok=True)
        raise other_content(
            self._snapshot,
            self._file,
            sha256=self._sha256.hexdigest(),
            git=self._git.hexdigest(),
        )

    @property
    def _shown(self) -> str:
        return f"{self._snapshot.repo}/{self._file.name}"

    def _disk(self, problem: OSError) -> OutputError | DiskSpaceError:
        folder = self._path.parent
        if problem.errno == errno.EFBIG:
            return OutputError(
                f"{self._file.name} is larger than a file may be here",
                path=folder,
                found=f"{self._size:,} bytes",
                expected="4 GiB on a disk with FAT, or what `ulimit -f` says",
                hint="choose another disk, or raise the limit",
            )
        if problem.errno in _FULL:
            free = shutil.disk_usage(folder).free
            return DiskSpaceError(
                f"the disk became full during the download of {self._file.name}",
                path=folder,
                found=f"{free:,} bytes free",
                expected=f"{self._size - self._position:,} bytes more",
                hint=f"make room, then {_AGAIN}",
            )
        return OutputError(
            f"cannot be written: {problem.strerror or problem}", path=problem.filename or folder
        )
