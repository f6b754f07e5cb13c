"""Writing changed entries: in place where a file has room for it, else by a copy.

Whatever ends this early, also a kill or a power cut, leaves the old or the new file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from qwq_gguf.errors import GgufError, OutputError
from qwq_gguf.files.naming import sweep
from qwq_gguf.files.reading import open_file
from qwq_gguf.files.sized import NewFile
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file import GgufFile, encode_header, read_gguf
from qwq_gguf.gguf_file.header_slack import (
    Room,
    find_room,
    is_room,
    is_small,
    with_room,
)
from qwq_gguf.gguf_file.layout import HEADER_BYTES, KEY_COUNT_AT
from qwq_gguf.locks import lock
from qwq_gguf.metadata import KeyValue

__all__ = ["ChangeFollower", "Written", "blank_unread", "locked", "write_entries"]

_CHUNK = 8 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """How a file was changed. `replaced_link`: the path was one of several names of the
    file's content, and names a copy of its own now.
    """

    in_place: bool
    file_bytes: int
    replaced_link: bool = False


class ChangeFollower(Protocol):
    """Told of a change while nobody else can make one. What it raises in `announce` keeps
    the change from being made.
    """

    def announce(self, header: bytes) -> None:
        """The file is about to begin with `header`, with the same data behind it."""

    def made(self) -> None:
        """It does."""


@dataclass(frozen=True, slots=True)
class _Record:
    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int


def write_entries(
    file: GgufFile,
    entries: Sequence[KeyValue],
    *,
    progress: Callable[[int, int], None] | None = None,
    follow: ChangeFollower | None = None,
) -> Written:
    """Give a file other metadata; `file` is its header as read just before.

    `progress` hears of a copy: bytes done, bytes in all; `follow` of every change.
    OutputError when it cannot be written, or another program is changing it; GgufError
    when it is no longer the file that was read.
    """
    linked = file.path.is_symlink() or file.path.stat().st_nlink > 1
    room = None if linked else find_room(file.metadata)
    inside = None if room is None else _slot_entries(file, room, entries)
    if room is not None and inside is not None and _change_in_place(file, room, inside, follow):
        return Written(True, file.file_bytes)
    return Written(False, _copy(file, entries, progress, follow), linked)


def _slot_entries(file: GgufFile, room: Room, entries: Sequence[KeyValue]) -> list[KeyValue] | None:
    """What a slot has to hold, None when something outside the slots changes too."""
    slot = {entry.key for entry in room.entries}
    outside = {
        id(entry)
        for entry in file.metadata.values()
        if entry.key not in slot and not is_room(entry.key)
    }
    inside = [entry for entry in entries if id(entry) not in outside]
    if len(entries) - len(inside) != len(outside) or not all(map(is_small, inside)):
        return None
    return inside


def _change_in_place(
    file: GgufFile, room: Room, inside: Sequence[KeyValue], follow: ChangeFollower | None
) -> bool:
    """False when there is too little room, or the bytes are not laid out as ours are."""
    filled = room.fill(inside)
    if filled is None:
        return False
    steps = (
        (room.slot(1 - room.live), filled),
        (KEY_COUNT_AT, room.switched(inside)),
        # Nothing reads the other slot now; some programs print it.
        (room.slot(room.live), room.blank),
    )
    with locked(file, os.O_RDWR) as descriptor:
        start = HEADER_BYTES
        if file.version != 3 or os.pread(descriptor, len(room.written), start) != room.written:
            return False
        if follow is not None:
            header = bytearray(os.pread(descriptor, file.data_offset, 0))
            for offset, data in steps:
                header[offset : offset + len(data)] = data
            follow.announce(bytes(header))
        for offset, data in steps:
            _write_durably(file, descriptor, data, offset)
        if follow is not None:
            follow.made()
    return True


def blank_unread(file: GgufFile, descriptor: int) -> None:
    """Leave nothing in the slot that is not read, in a file that is `locked` for writing."""
    room = find_room(file.metadata)
    if room is not None:
        _write_durably(file, descriptor, room.blank, room.slot(1 - room.live))


def _write_durably(file: GgufFile, descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    try:
        while view:
            written = os.pwrite(descriptor, view, offset)
            offset += written
            view = view[written:]
        os.fsync(descriptor)
    except OSError as error:
        raise OutputError(
            f"cannot be written: {error.strerror or error}", path=file.path
        ) from error


def _copy(
    file: GgufFile,
    entries: Sequence[KeyValue],
    progress: Callable[[int, int], None] | None,
    follow: ChangeFollower | None,
) -> int:
    records = [
        _Record(tensor.name, tensor.shape, tensor.type, tensor.offset - file.data_offset)
        for tensor in file.tensors
    ]
    try:
        header = encode_header(with_room(entries), records, file.alignment)
    except ValueError as error:
        raise GgufError(f"cannot be written again: {error}", path=file.path) from error
    data_bytes = max(0, file.file_bytes - file.data_offset)
    total = len(header) + data_bytes
    mode = file.path.stat().st_mode & 0o777
    with locked(file, os.O_RDONLY) as source:
        sweep(file.path)
        with NewFile(file.path, total, force=True) as out:
            out.write(0, header)
            done = 0
            while done < data_bytes:
                piece = os.pread(source, min(_CHUNK, data_bytes - done), file.data_offset + done)
                if not piece:
                    raise GgufError("the file became shorter while it was read", path=file.path)
                out.write(len(header) + done, piece)
                done += len(piece)
                if progress is not None:
                    progress(done, data_bytes)
            _check_size(file, source)
            if hasattr(os, "fchmod"):
                os.fchmod(out.fileno(), mode)
            if follow is not None:
                follow.announce(header)
            out.commit()
        if follow is not None:
            follow.made()
    return total


@contextmanager
def locked(file: GgufFile, flags: int) -> Iterator[int]:
    """The open file, which no other `set` changes meanwhile.

    OutputError when it cannot be opened or another program is changing it, GgufError when
    it is no longer as it was read.
    """
    try:
        descriptor = open_file(file.path, flags)
    except OSError as error:
        raise OutputError(f"cannot be opened: {error.strerror or error}", path=file.path) from error
    try:
        if not lock(descriptor):
            raise OutputError("another program is changing it", path=file.path)
        _check_size(file, descriptor)
        _check_header(file)
        yield descriptor
    finally:
        os.close(descriptor)


def _check_size(file: GgufFile, descriptor: int) -> None:
    if os.fstat(descriptor).st_size != file.file_bytes:
        raise GgufError("the file changed while it was in use", path=file.path)


def _check_header(file: GgufFile) -> None:
    """What was decided from a header must not be written over another."""
    now = read_gguf(file.path)
    if _plain(now) != _plain(file) or now.tensors != file.tensors:
        raise GgufError("the file changed while it was in use", path=file.path)


def _plain(file: GgufFile) -> list[KeyValue | str]:
    """Its keys in order; of the arrays, which nobody changes here, the names."""
    return [entry if entry.element is None else key for key, entry in file.metadata.items()]
