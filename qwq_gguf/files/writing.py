"""Files that appear whole or not at all, alone or as a group.

Each is written beside its place under a name of its own, synced, and then given its name. So
a full disk, a kill or Ctrl-C leaves what was there before, and no reader sees half a file. No
link is ever written through, and what is no ordinary file (a FIFO, a device) is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

from qwq_gguf.errors import OutputError
from qwq_gguf.files.naming import (
    check_path,
    failure,
    hard_link,
    keep_mode,
    name_without_replacing,
    sweep,
    sync_folder,
    temporary,
)

__all__ = ["Content", "write_all", "write_descriptor", "write_file", "write_files"]

Content: TypeAlias = "bytes | str | Callable[[Path], None]"
"""Of a file: its bytes, its text (UTF-8), or what makes it at the path it is given."""

_NEW = (
    os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
)


def write_file(path: Path, content: bytes | str, *, force: bool = False) -> None:
    """Write a small file, whole or not at all; see `write_files`."""
    write_files({path: content}, force=force)


def write_files(
    files: Mapping[Path, Content], *, force: bool = False, make_folders: bool = False
) -> None:
    """Write small files, all of them or none.

    Those that are there are replaced with `force` only, and keep their permissions; a link
    is replaced, not followed. With `make_folders` missing folders are made. OutputError when
    a name is taken, cannot be written or no ordinary file, or a text is not UTF-8; then
    everything is as it was.
    """
    for path in files:
        check_path(path, force=force, folder_needed=not make_folders)
    contents = {path: _encoded(content, path) for path, content in files.items()}
    befores: list[Path] = []
    with ExitStack() as undo:
        for path, content in contents.items():
            if make_folders:
                _make_folder(path.parent, undo)
            sweep(path)
            undo.callback(_forget, temporary(path))
            _prepare(path, content, force=force)
        for path in contents:
            before = None
            if len(files) > 1 and os.path.lexists(path):
                before = temporary(path, "before")
                befores.append(before)
            _appear(path, before, undo, force=force)
        for folder in {path.parent for path in files}:
            _synced(folder)
        undo.pop_all()
    for path in befores:
        _forget(path)


def _encoded(content: Content, path: Path) -> bytes | Callable[[Path], None]:
    if not isinstance(content, str):
        return content
    try:
        return content.encode()
    except UnicodeEncodeError as error:
        around = content[max(0, error.start - 20) : error.end + 20]
        raise OutputError(
            "what it is to say is not UTF-8 text",
            path=path,
            found=ascii(around),
            hint="give the model's file a name in UTF-8, or look at its template and license",
        ) from None


def _prepare(path: Path, content: bytes | Callable[[Path], None], *, force: bool) -> None:
    """Have it ready on the disk under its other name."""
    temp = temporary(path)
    size = len(content) if isinstance(content, bytes) else None
    try:
        _forget(temp)
        if not isinstance(content, bytes):
            content(temp)
            if temp.is_symlink():
                return
            descriptor = os.open(temp, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        else:
            descriptor = os.open(temp, _NEW, 0o666)
        try:
            if isinstance(content, bytes):
                write_all(descriptor, content)
                if force:
                    keep_mode(descriptor, path)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise failure(error, path, size) from error


def _appear(path: Path, before: Path | None, undo: ExitStack, *, force: bool) -> None:
    """Give a file that is ready its name; what had it lies at `before` until all have theirs."""
    temp = temporary(path)
    try:
        if before is not None:
            _forget(before)
            undo.callback(_restore, before, path)
            try:
                hard_link(path, before)
            except OSError:  # a filesystem without links
                path.replace(before)
        elif not os.path.lexists(path):
            undo.callback(_take_back, path, temp.lstat())
        if force:
            temp.replace(path)
        else:
            name_without_replacing(temp, path)
    except OSError as error:
        raise failure(error, path) from error


def _restore(before: Path, path: Path) -> None:
    if not os.path.lexists(before):
        return
    try:
        before.replace(path)  # between two names of one file this does nothing
        before.unlink(missing_ok=True)
    except OSError:
        pass  # at least it is there under that name


def _take_back(path: Path, ours: os.stat_result) -> None:
    try:
        now = path.lstat()
    except OSError:
        return
    if (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino):
        _forget(path)


def _make_folder(folder: Path, undo: ExitStack) -> None:
    try:
        for each in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
            each.mkdir(exist_ok=True)
            undo.callback(_remove_empty, each)
    except OSError as error:
        raise failure(error, folder) from error


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        pass  # somebody put something there


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass  # what keeps a name from being made is said where it is made


def _synced(folder: Path) -> None:
    try:
        sync_folder(folder)
    except OSError as error:
        raise failure(error, folder) from error


def write_descriptor(descriptor: int, text: str, path: Path) -> None:
    """Write to what is open already, as `path` names it. OutputError.

    A reader who goes away is no fault of what is written: BrokenPipeError.
    """
    try:
        write_all(descriptor, text.encode("utf-8", "backslashreplace"))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise failure(error, path) from error


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data` where the descriptor stands. OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
