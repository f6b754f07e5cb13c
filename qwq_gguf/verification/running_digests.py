"""Digests of a file while it is being written, in any order.

A thread reads behind the front of what is complete, out of the page cache, so that the
digests are there soon after the last block is, and the file is not read from the disk
again. It holds a descriptor of its own: the file may be renamed meanwhile.
"""

from __future__ import annotations

import heapq
import os
import threading
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.errors import OutputError
from qwq_gguf.gguf_file.layout import VERSION
from qwq_gguf.gguf_file.reader import GgufFile, GgufTensor
from qwq_gguf.verification.contents import Contents, digest_parts

if TYPE_CHECKING:
    from concurrent.futures import Future

    from qwq_gguf.quantization.planning.plan import PartPlan

__all__ = ["Front", "WriteFollower"]


class Front:
    """How far a file is complete from its beginning, as ranges of it are written."""

    def __init__(self) -> None:
        self.position = 0
        self._ahead: list[tuple[int, int]] = []

    def add(self, start: int, stop: int) -> None:
        """The bytes from `start` up to `stop` are written."""
        heapq.heappush(self._ahead, (start, stop))
        while self._ahead and self._ahead[0][0] <= self.position:
            self.position = max(self.position, heapq.heappop(self._ahead)[1])


class WriteFollower:
    """Follows the writing of one file, as long as the context lasts; see
    `quantization.running.target.Follower`.

    Followers of several files may share a `pool`. A file takes a place in it when its first
    tensor is being written, so that none waits there for its turn while another is written.
    """

    def __init__(self, pool: Executor | None = None) -> None:
        self._front = Front()
        self._changed = threading.Condition()
        self._stopped = False
        self._descriptor = -1
        self._owned = pool is None
        self._pool = pool or ThreadPoolExecutor(1, thread_name_prefix="follow")
        self._file: GgufFile | None = None
        self._work: Future[Contents] | None = None

    def __enter__(self) -> WriteFollower:
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._work is not None and not self._work.cancel():
            wait([self._work])
        if self._owned:
            self._pool.shutdown()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def begin(self, part: PartPlan, path: Path, descriptor: int) -> None:
        """`part` is about to be written to the open file, whose padding is there already."""
        tensors = tuple(
            GgufTensor(t.name, t.shape, t.type, part.data_offset + t.offset, t.nbytes)
            for t in part.tensors
        )
        self._file = GgufFile(
            path=path,
            version=VERSION,
            metadata={},
            tensors=tensors,
            alignment=part.alignment,
            data_offset=part.data_offset,
            file_bytes=part.file_bytes,
        )
        ends = [tensor.offset + tensor.nbytes for tensor in tensors] or [part.data_offset]
        starts = [*(tensor.offset for tensor in tensors[1:]), part.file_bytes]
        for stop, start in zip(ends, starts, strict=True):
            self._front.add(stop, start)
        self._descriptor = os.dup(descriptor)

    def written(self, start: int, nbytes: int) -> None:
        """A range of the file is written. From any thread."""
        with self._changed:
            self._front.add(start, start + nbytes)
            self._changed.notify_all()
            file = self._file
            if file is None or self._work is not None:
                return
            if start + nbytes > file.data_offset or not file.tensors:
                self._work = self._pool.submit(digest_parts, file, self._read)

    def contents(self) -> Contents:
        """Wait for the digests of the finished file. OutputError if it cannot be read."""
        if self._work is None:
            raise ValueError("no run was followed")
        return self._work.result()

    def _read(self, at: int, count: int) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._front.position >= at + count)
            if self._stopped:
                raise InterruptedError
        parts: list[bytes] = []
        while count:
            try:
                part = os.pread(self._descriptor, count, at)
            except OSError as error:
                raise OutputError(f"cannot be read again: {error.strerror or error}") from error
            if not part:
                raise OutputError("the file was cut while it was written")
            parts.append(part)
            at, count = at + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)
