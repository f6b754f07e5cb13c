"""Slices of tensors, read from the shards by any number of threads."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.errors import ShardError
from qwq_gguf.files.reading import open_file

__all__ = ["ShardReader"]


class ShardReader:
    """Reads bytes of tensors, keeping each shard open until it is closed.

    Reads are positioned (`pread`), so threads share the files without a lock.
    """

    def __init__(self) -> None:
        self._files: dict[Path, int] = {}
        self._lock = threading.Lock()
        self._closed = False

    def read(self, info: TensorInfo, first: int = 0, nbytes: int | None = None) -> bytes:
        """`nbytes` bytes of a tensor (default: all that follow) from its byte `first`.

        ValueError for a range outside the tensor; ShardError when the file has become
        shorter than its header said, or cannot be read.
        """
        count = info.nbytes - first if nbytes is None else nbytes
        if first < 0 or count < 0 or first + count > info.nbytes:
            raise ValueError(
                f"{info.name} has {info.nbytes} bytes, {count} at {first} are not all in it"
            )
        file = self._open(info.shard)
        parts: list[bytes] = []
        position, missing = info.start + first, count
        while missing:
            try:
                part = os.pread(file, missing, position)
            except OSError as problem:
                raise ShardError(
                    f"{info.name} cannot be read: {problem.strerror or problem}", path=info.shard
                ) from problem
            if not part:
                raise ShardError(
                    f"the file has become shorter: {info.name} ends beyond it",
                    path=info.shard,
                    found=f"{os.fstat(file).st_size} bytes",
                    expected=f"at least {info.start + info.nbytes}",
                    hint="let nothing change the source while it is being quantized",
                )
            parts.append(part)
            position += len(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def forget(self, shard: Path) -> None:
        """Close a shard that nobody reads from now; a later read opens it again."""
        with self._lock:
            file = self._files.pop(shard, None)
        if file is not None:
            os.close(file)

    def close(self) -> None:
        """Close all shards. Reading afterwards is a ValueError."""
        with self._lock:
            self._closed = True
            for file in self._files.values():
                os.close(file)
            self._files.clear()

    def __enter__(self) -> ShardReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, shard: Path) -> int:
        with self._lock:
            if self._closed:
                raise ValueError("this reader is closed")
            file = self._files.get(shard)
            if file is None:
                try:
                    file = open_file(shard)
                except OSError as problem:
                    raise ShardError(
                        f"the shard cannot be opened: {problem.strerror or problem}", path=shard
                    ) from problem
                self._files[shard] = file
            return file
