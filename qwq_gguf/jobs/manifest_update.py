"""The manifest beside a GGUF whose keys `set` changes.

It is written twice: before the change, with what the file then comes to, and after it. So
whatever interrupts a `set`, the two still know each other, `verify` can say what happened,
and the next `set` puts them in order.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qwq_gguf.errors import ManifestError
from qwq_gguf.jobs.events import Activity, Event, Meter, Note, Progress, Report, Wrote

if TYPE_CHECKING:
    from qwq_gguf.gguf_file import GgufFile
    from qwq_gguf.verification.manifest import Manifest

__all__ = ["Following", "tidy_up"]


def tidy_up(path: Path, report: Report) -> None:
    """Finish or take back what an interrupted `set` left between a file and its manifest."""
    from qwq_gguf.editing import blank_unread, locked
    from qwq_gguf.gguf_file import read_gguf
    from qwq_gguf.gguf_file.header_slack import find_room
    from qwq_gguf.verification.contents import read_header
    from qwq_gguf.verification.pending_change import progress_of, settled
    from qwq_gguf.verification.record import write_manifest

    if not _is_pending(path):
        return
    file = read_gguf(path)
    flags = os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY  # those are only replaced
    with locked(file, flags) as descriptor:
        manifest = _read(path)  # again: another `set` may have ended meanwhile
        if manifest is None or manifest.pending is None:
            return
        progress = progress_of(manifest, read_header(file), find_room(file.metadata))
        if progress is None:
            return  # `Following` says so
        if progress.remains:
            blank_unread(file, descriptor)
        where = write_manifest(settled(manifest, made=progress.counts), path)
    how = "which had been made" if progress.counts else "which had not been made"
    report(Wrote(where, f"in order again after an interrupted change, {how}"))


class Following:
    """Lets the manifest of one file follow a change; see `editing.write.ChangeFollower`.

    It does so only where the file is, to the byte, what the manifest says: a change of keys
    must not vouch for what else was changed. `told` is what to report afterwards.
    """

    def __init__(self, file: GgufFile, asked: Mapping[str, Any], report: Report) -> None:
        self.event: Event | None = None
        self._file = file
        self._asked = dict(asked)
        self._report = report
        self._announced: Manifest | None = None

    def announce(self, header: bytes) -> None:
        """Write down what is about to happen. OutputError if that cannot be written, GgufError
        if what was written before cannot be read: a change would leave the two at odds.
        """
        from qwq_gguf.verification.contents import read_with_header
        from qwq_gguf.verification.manifest import PartDigest
        from qwq_gguf.verification.pending_change import announced
        from qwq_gguf.verification.record import write_manifest

        path = self._file.path
        try:
            manifest = _read(path)
        except ManifestError as error:
            self.event = Note(f"its manifest is damaged and stays so: {error.message}")
            return
        if manifest is None:
            return
        total = self._file.file_bytes
        self._report(Progress(Activity.COPYING, 0, total))
        meter = Meter(self._report, Activity.COPYING, total)
        contents, whole = read_with_header(self._file, header, passed=meter.passed)
        said = manifest.files[0]
        if contents.tensors != said.tensors:
            self.event = Note("its weights are not those of its manifest, which stays as it was")
        elif contents.header != said.header:
            self.event = Note("its keys were not those of its manifest, which stays as it was")
        elif contents.file != said.file:
            self.event = Note("its padding is not that of its manifest, which stays as it was")
        else:
            after = PartDigest(len(header), hashlib.sha256(header).hexdigest())
            self._announced = announced(manifest, whole, after, self._asked)
            write_manifest(self._announced, path)

    def made(self) -> None:
        """Write down that it has happened."""
        if self._announced is None:
            return
        from qwq_gguf.verification.pending_change import settled
        from qwq_gguf.verification.record import write_manifest

        where = write_manifest(settled(self._announced, made=True), self._file.path)
        self.event = Wrote(where, "follows")


def _is_pending(path: Path) -> bool:
    try:
        manifest = _read(path)
    except ManifestError:
        return False  # `Following` says so
    return manifest is not None and manifest.pending is not None


def _read(path: Path) -> Manifest | None:
    from qwq_gguf.verification.check import read_manifest

    return read_manifest(path)
