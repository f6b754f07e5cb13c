"""A file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path
from types import TracebackType

from qwq_gguf.errors import OutputError

__all__ = ["NewFile"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NewFile:
    """A file of known size, filled in any order by any thread under a temporary name.

    `commit` makes it durable and gives it its name; leaving the `with` block without it
    removes every trace. What was at `path` stays until then. OutputError when the path is
    taken and `force` is off, the folder is missing, or the disk is too small.
    """

    def __init__(self, path: Path, size: int, *, force: bool = False) -> None:
        self.path = path
        self.size = size
        self._force = force
        self._folder = path.parent
        self._partial = self._folder / f".{path.name}.{os.getpid()}.partial"
        self._descriptor = -1
        self._lock = threading.Lock()

    def __enter__(self) -> NewFile:
        self.check()
        try:
            self._partial.unlink(missing_ok=True)  # of an earlier process with this number
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
            self._descriptor = os.open(self._partial, flags, 0o666)
        except OSError as error:
            raise self._failure(error) from error
        try:
            os.ftruncate(self._descriptor, self.size)
        except OSError as error:
            self._discard()
            raise self._failure(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._discard()

    def fileno(self) -> int:
        """The descriptor of the file, for reading and writing, until it is committed."""
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
                raise self._failure(error) from error
            offset += written
            view = view[written:]

    def make_durable(self) -> None:
        """Have what is written so far on the disk. OutputError."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._failure(error) from error

    def commit(self) -> None:
        """Make the content durable, then the name."""
        try:
            os.fsync(self._descriptor)
            self._close()
            if self._force:
                self._partial.replace(self.path)
            else:
                self._name_without_replacing()
            self._sync_folder()
        except OSError as error:
            raise self._failure(error) from error

    def _name_without_replacing(self) -> None:
        """A link fails when another process has made the file meanwhile; a rename does not."""
        try:
            os.link(self._partial, self.path)
        except FileExistsError:
            raise self._taken() from None
        except OSError:  # a filesystem without links
            if self.path.exists():
                raise self._taken() from None
            self._partial.replace(self.path)
        else:
            self._partial.unlink()

    def check(self) -> None:
        if self.path.is_dir():
            raise OutputError(
                "is a folder", path=self.path, hint=f"name a file: {self.path / 'model.gguf'}"
            )
        if self.path.exists() and not self._force:
            raise self._taken()
        if not self._folder.is_dir():
            raise OutputError(
                "the folder does not exist",
                path=self._folder,
                hint=f"mkdir -p {self._folder}",
            )
        free = shutil.disk_usage(self._folder).free
        if free < self.size:
            raise OutputError(
                "the disk is too small",
                path=self._folder,
                found=f"{_size(free)} free",
                expected=f"{_size(self.size)} for {self.path.name}",
                hint="make space, choose another folder or a smaller recipe",
            )

    def _taken(self) -> OutputError:
        return OutputError(
            "exists already", path=self.path, hint="choose another name, or --force to replace it"
        )

    def _failure(self, error: OSError) -> OutputError:
        if error.errno in _FULL:
            free = shutil.disk_usage(self._folder).free
            return OutputError(
                "the disk is full; nothing was replaced",
                path=self.path,
                found=f"{_size(free)} free",
                expected=f"{_size(self.size)} in all",
                hint="make space, choose another folder or a smaller recipe",
            )
        return OutputError(f"cannot be written: {error.strerror or error}", path=self.path)

    def _sync_folder(self) -> None:
        if os.name != "posix":
            return
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _close(self) -> None:
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _discard(self) -> None:
        self._close()
        self._partial.unlink(missing_ok=True)


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 10**8 else f"{count / 1e6:.2f} MB"
