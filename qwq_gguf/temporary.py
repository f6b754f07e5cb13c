"""Temporary folders of ours, and what becomes of those that a killed process has left."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from qwq_gguf.locks import lock

__all__ = ["sweep", "temporary_folder"]

_PREFIX = "qwq-gguf-tmp-"
_OWNER = ".owner"  # the process's number; locked for as long as it lives
_MOST_LOOKED_AT = 20_000  # names in the folder for temporary files
_MOST_REMOVED = 32  # at once
_MOST_DIGITS = 12


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder, gone at the end; left-overs of processes that were killed go first.

    It is empty and for this user alone.
    """
    sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as outer:
        folder = Path(outer, "in")
        folder.mkdir(0o700)
        # Closed before the folder goes: Windows removes no open file.
        with Path(outer, _OWNER).open("x", encoding="ascii") as owner:
            lock(owner.fileno())
            owner.write(str(os.getpid()))
            owner.flush()
            yield folder


def sweep(where: Path) -> int:
    """Remove the folders that dead processes of this user have left; how many.

    Only what `temporary_folder` has made: a folder of this name and this user, no link, with a
    file that names its process. That one is dead if nobody has that process's number, and nobody
    the lock: a number alone may be another container's. A few at a time, and what cannot be
    removed stays. Nothing on Windows, where there is no such lock.
    """
    if os.name != "posix":
        return 0
    removed = 0
    try:
        with os.scandir(where) as entries:
            names = [e.name for e in islice(entries, _MOST_LOOKED_AT) if e.name.startswith(_PREFIX)]
    except OSError:
        return 0
    for name in names:
        if removed == _MOST_REMOVED:
            break
        if _is_left(where / name):
            shutil.rmtree(where / name, ignore_errors=True)
            removed += 1
    return removed


def _is_left(folder: Path) -> bool:
    try:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        owner = os.open(folder / _OWNER, flags)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(owner).st_mode):
            return False
        said = os.read(owner, _MOST_DIGITS + 1)
        return said.isdigit() and len(said) <= _MOST_DIGITS and _dead(int(said)) and lock(owner)
    except OSError:
        return False
    finally:
        os.close(owner)


def _dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
