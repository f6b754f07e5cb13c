"""Where a file may be made, under which name it is on its way there, and how it gets its own.

The steps of files/writing.py and of what quantizes; nothing here writes content.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import stat
from collections.abc import Iterable
from glob import escape
from pathlib import Path

from qwq_gguf.errors import OutputError
from qwq_gguf.words import human_bytes

__all__ = [
    "check_path",
    "create_or_open",
    "failure",
    "hard_link",
    "keep_mode",
    "name_without_replacing",
    "open_descriptor",
    "refuse_sources",
    "sweep",
    "sync_folder",
    "taken",
    "temporary",
]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PID = re.compile(r"[0-9]{1,9}")
_MOST_NAME = 200  # bytes of a file's name in that of its temporary: names end at 255
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,6})")
_STANDARD = {"/dev/stdout": 1, "/dev/stderr": 2}
_LARGE = 1 << 20  # bytes; what is larger can be a model


def create_or_open(path: Path, *, append: bool = False) -> int:
    """The descriptor of a file of ours that grows under its own name: a journal, a lock, what
    of a download is there. Made if there is none; a link is not followed. OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    return os.open(path, flags | (os.O_APPEND if append else 0), 0o666)


def open_descriptor(path: Path) -> int | None:
    """The number of the open descriptor that a path such as /dev/stdout or /dev/fd/63 names.

    Whoever names it has opened it for us: that is written to as it is, by no new name. None
    for all other paths.
    """
    if os.name != "posix":
        return None
    named = _DESCRIPTOR.fullmatch(str(path))
    number = int(named[1]) if named else _STANDARD.get(str(path))
    if number is None:
        return None
    try:
        os.fstat(number)
    except OSError as error:
        raise failure(error, path) from error
    return number


def temporary(path: Path, what: str = "partial") -> Path:
    """The name beside `path` that this process gives to what is on its way to it."""
    return path.with_name(f".{_short(path)}.{os.getpid()}.{what}")


def sweep(path: Path) -> None:
    """Remove what killed processes have left of their ways to `path`."""
    if os.name != "posix":
        return
    for remains in path.parent.glob(f".{escape(_short(path))}.*.*"):
        number, what = remains.name.split(".")[-2:]
        # What was there before may be all there is, where a kill came between two names.
        ours = what == "partial" or (what == "before" and os.path.lexists(path))
        if ours and _PID.fullmatch(number) and not _is_running(int(number)):
            remains.unlink(missing_ok=True)


def _short(path: Path) -> str:
    return os.fsdecode(os.fsencode(path.name)[:_MOST_NAME])


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # somebody else's
    return True


def keep_mode(descriptor: int, path: Path) -> None:
    """Give an open file the permissions, and where that is allowed the owner, of the ordinary
    file that it is about to replace at `path`; of a link there is nothing to keep.
    """
    try:
        old = path.lstat()
    except OSError:
        return
    if not stat.S_ISREG(old.st_mode) or not hasattr(os, "fchmod"):
        return
    new = os.fstat(descriptor)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        try:
            os.fchown(descriptor, old.st_uid, old.st_gid)
        except OSError:
            pass
    os.fchmod(descriptor, old.st_mode & 0o777)


def name_without_replacing(temp: Path, path: Path) -> None:
    """Rename, but only to a name that is free. OutputError if it is taken; OSError.

    A link fails when another process has made the file meanwhile; a rename does not.
    """
    try:
        hard_link(temp, path)
    except FileExistsError:
        raise taken(path) from None
    except OSError:  # a filesystem without links
        if os.path.lexists(path):
            raise taken(path) from None
        temp.replace(path)
    else:
        temp.unlink()


def hard_link(existing: Path, new: Path) -> None:
    """A second name for a file, or for the link itself that a name is. OSError."""
    if os.link in os.supports_follow_symlinks:
        os.link(existing, new, follow_symlinks=False)
    elif existing.is_symlink():
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
    else:
        os.link(existing, new)


def check_path(path: Path, *, force: bool, folder_needed: bool = True) -> None:
    """OutputError unless a file may be made at `path`: a folder, taken, or in no folder.

    With `force` a link is replaced, not followed; /dev/null and its like never are.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = None  # nothing, or a link that leads nowhere
    except OSError as error:
        if not os.path.lexists(path):
            raise failure(error, path) from error
        mode = None
    if mode is not None and stat.S_ISDIR(mode):
        raise OutputError("is a folder", path=path, hint="name a file in it")
    if mode is not None and not stat.S_ISREG(mode):
        raise OutputError("is no ordinary file", path=path, hint="name another file")
    if os.path.lexists(path) and not force:
        raise taken(path)
    if folder_needed and not path.parent.is_dir():
        raise OutputError(
            "cannot be written: the folder does not exist",
            path=path,
            hint=f"mkdir -p {shlex.quote(str(path.parent))}",
        )


def refuse_sources(
    paths: Iterable[Path],
    sources: Iterable[Path],
    what: str = "is one of the files that this is made from",
) -> None:
    """OutputError where an output would replace one of the files that it is made from."""
    known = {identity for each in sources if (identity := _identity(each)) is not None}
    for path in paths:
        if _identity(path) in known:
            raise OutputError(what, path=path, hint="choose another name")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def failure(error: OSError, path: Path, size: int | None = None) -> OutputError:
    """Why a file, to be of `size` bytes, cannot be written."""
    if error.errno == errno.EFBIG:
        return OutputError(
            "is to be larger than a file may be here; nothing was replaced",
            path=path,
            found=None if size is None else human_bytes(size),
            expected="4 GiB on a disk with FAT, or what `ulimit -f` says",
            hint="choose another disk, or raise the limit"
            + ("; or --split-max-size 4G" if size is not None and size >= _LARGE else ""),
        )
    if error.errno not in _FULL:
        return OutputError(f"cannot be written: {error.strerror or error}", path=path)
    try:
        found = f"{human_bytes(shutil.disk_usage(path.parent).free)} free"
    except OSError:
        found = None
    return OutputError(
        "the disk is full; nothing was replaced",
        path=path,
        found=found,
        expected=None if size is None else f"{human_bytes(size)} in all",
        hint="make space, or choose another folder"
        + (" or a smaller recipe" if size is not None and size >= _LARGE else ""),
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
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
