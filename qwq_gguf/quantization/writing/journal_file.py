"""A journal on the disk, locked by the run that writes it."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from pathlib import Path

from qwq_gguf.errors import OutputError
from qwq_gguf.files.naming import create_or_open, failure, sync_folder
from qwq_gguf.locks import lock
from qwq_gguf.quantization.writing.journal import Journal, parse_journal, run_line

__all__ = ["JournalFile"]

# Some 40 bytes a chunk: 1.6 million chunks. What is read of it takes four times as much.
_MOST_BYTES = 64 << 20


class JournalFile:
    """The journal at `path`, for the files of `target`. OutputError where it cannot be written."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target
        self._descriptor = -1
        self._folder_synced = False

    @property
    def is_open(self) -> bool:
        """Whether this run has the lock."""
        return self._descriptor >= 0

    def open(self) -> Journal:
        """Lock it, made empty if there is none, and say in it who we are. What it said so far.

        OutputError with the process that has it, if another run does.
        """
        self._descriptor = self._lock()
        with ExitStack() as undo:
            undo.callback(self.close)  # what it says still holds
            try:
                said = parse_journal(self._content(self._descriptor))
                os.ftruncate(self._descriptor, said.nbytes)  # a line that was cut off goes
            except OSError as error:
                raise failure(error, self.path) from error
            self.append(run_line(os.getpid()))
            undo.pop_all()
        return said

    def clear(self) -> None:
        """Forget what it says."""
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:
            raise failure(error, self.path) from error

    def append(self, lines: bytes) -> None:
        """Write whole lines."""
        view = memoryview(lines)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError as error:
                raise failure(error, self.path) from error

    def sync(self) -> None:
        """Have all of it on the disk for good."""
        try:
            getattr(os, "fdatasync", os.fsync)(self._descriptor)
            if not self._folder_synced:
                sync_folder(self.path.parent)
                self._folder_synced = True
        except OSError as error:
            raise failure(error, self.path) from error

    def remove(self) -> None:
        """It has served; the lock goes with it."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave it to the next run."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _lock(self) -> int:
        while True:
            try:
                descriptor = create_or_open(self.path, append=True)
            except OSError as error:
                raise failure(error, self.path) from error
            if not lock(descriptor):
                try:
                    raise self._in_use(parse_journal(self._content(descriptor)).pid)
                finally:
                    os.close(descriptor)
            # The run that had it may just have removed it.
            if self.path.exists() and os.path.samestat(self.path.stat(), os.fstat(descriptor)):
                return descriptor
            os.close(descriptor)

    def _content(self, descriptor: int) -> bytes:
        size = os.fstat(descriptor).st_size
        if size > _MOST_BYTES:
            raise OutputError(
                "larger than the journal of any run",
                path=self.path,
                found=f"{size} bytes",
                expected=f"at most {_MOST_BYTES}",
                hint=f"rm {shlex.quote(str(self.path))}: the run then starts over",
            )
        return os.pread(descriptor, size, 0)

    def _in_use(self, pid: int | None) -> OutputError:
        end = "" if pid is None else f", or end it (kill {pid}): the same command goes on then"
        return OutputError(
            "another run is making this file",
            path=self._target,
            found="a process that does not say its number" if pid is None else f"process {pid}",
            hint=f"wait until it is done{end}",
        )
