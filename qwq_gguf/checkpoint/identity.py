"""What tells a shard from any other, without reading all of it."""

from __future__ import annotations

import os
import re
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from qwq_gguf.files.reading import open_file

if TYPE_CHECKING:
    from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot

__all__ = ["ABSENT", "listed_sha256", "shard_identity"]

ABSENT = "not there"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WINDOWS, _WINDOW = 16, 4096


def shard_identity(path: Path, hub: HubSnapshot | None = None) -> str:
    """By what the Hub says of its content, so that it may be deleted and come again; of
    other files, size, time of the last change and a sample of the content, since archives
    and images often give all files one time. A line for people, to be compared.
    """
    sha256 = listed_sha256(path, hub)
    if sha256 is not None:
        return f"sha256 {sha256}"
    if hub is not None:
        file = hub.file_at(path)
        blob = None if file is None else file.blob
        return f"commit {hub.commit}" if blob is None else f"git blob {blob}"
    try:
        with os.fdopen(open_file(path), "rb", buffering=0) as shard:
            status = os.fstat(shard.fileno())
            sample = _sample(shard.fileno(), status.st_size)
    except OSError:
        return ABSENT
    changed = _moment(status.st_mtime_ns)
    return f"{status.st_size} bytes, changed {changed}, sample {sample:08x}"


def _moment(nanoseconds: int) -> str:
    """A time for people; the number itself where no calendar has it. Filesystems hold any."""
    seconds, rest = divmod(nanoseconds, 10**9)
    try:
        day = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"at {seconds}.{rest:09d} seconds"
    return f"{day}.{rest:09d}"


def _sample(descriptor: int, size: int) -> int:
    """The CRC-32 of windows from the first byte to the last, all as far apart."""
    crc, last = 0, max(0, size - _WINDOW)
    for number in range(_WINDOWS):
        crc = zlib.crc32(os.pread(descriptor, _WINDOW, last * number // (_WINDOWS - 1)), crc)
    return crc


def listed_sha256(path: Path, hub: HubSnapshot | None = None) -> str | None:
    """What the Hub says of a file: its list, or the name that its cache gives the content."""
    file = None if hub is None else hub.file_at(path)
    if file is not None and file.sha256 is not None:
        return file.sha256
    blob = path.resolve()
    in_cache = path.parent.parent.name == "snapshots" and "blobs" in blob.parts[-3:-1]
    if in_cache and path.is_symlink() and _SHA256.fullmatch(blob.name):
        return blob.name
    return None
