"""Opening files that others made: real files only, nothing waited for, no more than asked for.

A name may lead to a pipe that nobody writes to, to a terminal, to a disk. All of these
open like files, and reading them waits for ever, or never ends. What is refused here is an
OSError as any other, so that whoever opens a file says so in its own words.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["NotAFile", "open_file", "read_file", "read_given", "user_path"]

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}
# What a shell calls its own pipes: `<(command)`, and standard input.
_OWN = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


class NotAFile(OSError):
    """The name leads to something that is no regular file; `strerror` says what it is."""

    def __init__(self, kind: str, path: str | Path) -> None:
        super().__init__(errno.EINVAL, f"{kind}, where a file is needed", str(path))


def open_file(path: str | Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file. OSError, at once, for anything else.

    `flags` may be os.O_RDWR; nothing is created.
    """
    # Asked before it is opened, since opening a device can do something by itself.
    _refuse(Path(path).stat().st_mode, path)
    descriptor = os.open(path, _FLAGS | flags)
    try:
        _refuse(os.fstat(descriptor).st_mode, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _refuse(mode: int, path: str | Path) -> None:
    if not stat.S_ISREG(mode):
        raise NotAFile(_KINDS.get(stat.S_IFMT(mode), "no file"), path)


def read_file(path: str | Path, limit: int) -> bytes:
    """A regular file's bytes, and no more than one beyond `limit`: then it is too large."""
    with os.fdopen(open_file(path), "rb") as file:
        return file.read(limit + 1)


def read_given(path: str | Path, limit: int) -> bytes:
    """The same of a small file that the user named, who may mean a pipe of the shell's own:
    /dev/stdin, or `<(command)`.
    """
    if not str(path).startswith(_OWN):
        return read_file(path, limit)
    with Path(path).open("rb") as file:
        return file.read(limit + 1)


def user_path(text: str | Path) -> Path:
    """A path as somebody typed it, `~/models` being in the home folder.

    `~name` is what shells leave as it is when nobody is called so: a file of that name.
    """
    path = Path(text)
    if str(text).startswith("~") and not os.path.lexists(path):
        try:
            return path.expanduser()
        except RuntimeError:
            pass
    return path
