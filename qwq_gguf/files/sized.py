"""A file of known size that is filled in any order, and gets its name once it is whole."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from types import TracebackType

from qwq_gguf.errors import OutputError
from qwq_gguf.files.naming import (
    check_path,
    failure,
    keep_mode,
    name_without_replacing,
    sync_folder,
    temporary,
)
from qwq_gguf.files.preallocation import reserve
from qwq_gguf.files.reading import open_file
from qwq_gguf.words import human_bytes

__all__ = ["NewFile", "PartialFile"]

_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class PartialFile:
    """A file of known size, filled in any order by any thread under the name `partial`.

    `give_name` makes it durable and gives it its name. OutputError says what kept any of
    it from happening.
    """

    def __init__(self, path: Path, size: int, partial: Path) -> None:
        self.path = path
        self.size = size
        self.partial = partial
        self._descriptor = -1
        self._lock = threading.Lock()

    def create(self) -> None:
        """Make it anew, of zeros, with its room on the disk reserved; or there is none."""
        try:
            self.partial.unlink(missing_ok=True)
            self._descriptor = os.open(self.partial, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
        except OSError as error:
            raise failure(error, self.path, self.size) from error
        try:
            self._reserve()
        except OutputError:
            self.remove()
            raise

    def reopen(self) -> None:
        """Go on with the one that is there."""
        try:
            self._descriptor = open_file(self.partial, _FLAGS)
        except OSError as error:
            raise failure(error, self.path, self.size) from error
        self._reserve()

    def adopt(self) -> None:
        """The file has its name already, and is complete."""
        try:
            self._descriptor = open_file(self.path)
        except OSError as error:
            raise failure(error, self.path, self.size) from error

    def fileno(self) -> int:
        """The descriptor of the file, until it is closed."""
        return self._descriptor

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put bytes at an offset. ValueError outside the planned size."""
        view = memoryview(data).cast("B")
        if offset < 0 or offset + len(view) > self.size:
            raise ValueError(f"{len(view)} bytes at {offset} are outside of {self.size}")
        descriptor = self._descriptor
        while view:
            try:
                written = os.pwrite(descriptor, view, offset)
            except OSError as error:
                raise failure(error, self.path, self.size) from error
            offset += written
            view = view[written:]

    def make_durable(self) -> None:
        """Have what is written so far on the disk."""
        try:
            getattr(os, "fdatasync", os.fsync)(self._descriptor)
        except OSError as error:
            raise failure(error, self.path, self.size) from error

    def give_name(self, *, force: bool) -> None:
        """Make the content durable, then the name; only with `force` in place of a file."""
        try:
            if force:
                keep_mode(self._descriptor, self.path)
            os.fsync(self._descriptor)
            if force:
                self.partial.replace(self.path)
            else:
                name_without_replacing(self.partial, self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise failure(error, self.path, self.size) from error

    def close(self) -> None:
        """Write no more; what is there stays."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def remove(self) -> None:
        """Close it and leave no trace."""
        self.close()
        self.partial.unlink(missing_ok=True)

    def _reserve(self) -> None:
        try:
            reserve(self._descriptor, self.size)
        except OSError as error:
            raise failure(error, self.path, self.size) from error


class NewFile(PartialFile):
    """A PartialFile for the length of a `with` block: leaving it without `commit` removes
    every trace.

    What was at `path` stays until then. OutputError when the path is taken and `force` is
    off, the folder is missing, or the disk is too small.
    """

    def __init__(self, path: Path, size: int, *, force: bool = False) -> None:
        super().__init__(path, size, temporary(path))
        self._force = force

    def __enter__(self) -> NewFile:
        check_path(self.path, force=self._force)
        free = shutil.disk_usage(self.path.parent).free
        if free < self.size:
            raise OutputError(
                "the disk is too small",
                path=self.path.parent,
                found=f"{human_bytes(free)} free",
                expected=f"{human_bytes(self.size)} for {self.path.name}",
                hint="make space or choose another folder",
            )
        self.create()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()

    def commit(self) -> None:
        """Make the content durable, then the name."""
        self.give_name(force=self._force)
        self.close()
