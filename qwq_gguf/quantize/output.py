"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path
from types import TracebackType

from qwq_gguf.errors import OutputError
from qwq_gguf.quantize.reserve import reserve

__all__ = [
    "NewFile",
    "PartialFile",
    "check_path",
    "failure",
    "gigabytes",
    "sync_folder",
    "taken",
    "write_text",
]

_FULL = (errno.ENOSPC, errno.EDQUOT)
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
            self._descriptor = os.open(self.partial, _FLAGS)
        except OSError as error:
            raise failure(error, self.path, self.size) from error
        self._reserve()

    def adopt(self) -> None:
        """The file has its name already, and is complete."""
        try:
            self._descriptor = os.open(self.path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
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
            os.fsync(self._descriptor)
            if force:
                self.partial.replace(self.path)
            else:
                self._name_without_replacing()
            sync_folder(self.path.parent)
        except OSError as error:
            raise failure(error, self.path, self.size) from error

    def _name_without_replacing(self) -> None:
        """A link fails when another process has made the file meanwhile; a rename does not."""
        try:
            os.link(self.partial, self.path)
        except FileExistsError:
            raise taken(self.path) from None
        except OSError:  # a filesystem without links
            if self.path.exists():
                raise taken(self.path) from None
            self.partial.replace(self.path)
        else:
            self.partial.unlink()

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
        super().__init__(path, size, path.parent / f".{path.name}.{os.getpid()}.partial")
        self._force = force

    def __enter__(self) -> NewFile:
        check_path(self.path, force=self._force)
        free = shutil.disk_usage(self.path.parent).free
        if free < self.size:
            raise OutputError(
                "the disk is too small",
                path=self.path.parent,
                found=f"{gigabytes(free)} free",
                expected=f"{gigabytes(self.size)} for {self.path.name}",
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


def write_text(path: Path, text: str, *, force: bool) -> None:
    """Write a small text file, whole or not at all. OutputError."""
    check_path(path, force=force)
    data = text.encode()
    file = PartialFile(path, len(data), path.with_name(f".{path.name}.partial"))
    file.create()
    try:
        file.write(0, data)
        # A rename, since a kill between a link and the removal of the old name leaves both.
        file.give_name(force=True)
    finally:
        file.remove()


def check_path(path: Path, *, force: bool) -> None:
    """OutputError unless a file may be made at `path`: a folder, taken, or in no folder.

    With `force` a link is replaced, not followed; /dev/null and its like never are.
    """
    if path.is_dir():
        raise OutputError("is a folder", path=path, hint=f"name a file: {path / 'model.gguf'}")
    if path.exists() and not path.is_file():
        raise OutputError("is no ordinary file", path=path, hint="name another file")
    if os.path.lexists(path) and not force:
        raise taken(path)
    if not path.parent.is_dir():
        raise OutputError(
            "the folder does not exist", path=path.parent, hint=f"mkdir -p {path.parent}"
        )


def failure(error: OSError, path: Path, size: int | None = None) -> OutputError:
    """Why a file, to be of `size` bytes, cannot be written."""
    if error.errno == errno.EFBIG:
        return OutputError(
            "is to be larger than a file may be here; nothing was replaced",
            path=path,
            found=None if size is None else gigabytes(size),
            expected="4.29 GB on a disk with FAT, or what `ulimit -f` says",
            hint="choose another disk, or --split-max-size 4G; or raise the limit",
        )
    if error.errno not in _FULL:
        return OutputError(f"cannot be written: {error.strerror or error}", path=path)
    free = shutil.disk_usage(path.parent).free
    return OutputError(
        "the disk is full; nothing was replaced",
        path=path,
        found=f"{gigabytes(free)} free",
        expected=None if size is None else f"{gigabytes(size)} in all",
        hint="make space, choose another folder or a smaller recipe",
    )


def taken(path: Path) -> OutputError:
    """There is a file already."""
    return OutputError(
        "exists already", path=path, hint="choose another name, or --force to replace it"
    )


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def gigabytes(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / 1e9:.2f} GB" if count >= 10**8 else f"{count / 1e6:.2f} MB"
