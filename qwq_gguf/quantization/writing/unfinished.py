"""The unfinished files of one target, and the journal that says what of them is done.

Beside `model.gguf` lie `.model.gguf.partial` (one for each part of a split) and
`.model.gguf.journal`, locked by the run that writes. What ends that run early leaves both,
and the next run of the same goes on.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwq_gguf.files.naming import check_path, taken
from qwq_gguf.files.preallocation import allocated
from qwq_gguf.files.sized import PartialFile
from qwq_gguf.gguf_file.layout import encode_header
from qwq_gguf.gguf_file.splits import MAX_PARTS
from qwq_gguf.quantization.planning.plan import PartPlan
from qwq_gguf.quantization.running.rows import Rows, merged
from qwq_gguf.quantization.running.target import Target
from qwq_gguf.quantization.writing.fingerprint import refuse_change
from qwq_gguf.quantization.writing.journal import (
    Journal,
    RowsDone,
    complete_line,
    fingerprint_line,
    rows_line,
    run_line,
)
from qwq_gguf.quantization.writing.journal_file import JournalFile
from qwq_gguf.quantization.writing.rechecking import Check
from qwq_gguf.words import some

__all__ = ["Part", "Workplace"]

_MOST_NAMED = 3


@dataclass(slots=True)
class Part:
    """One file: as planned, as it lies here, and whether it has its name already."""

    plan: PartPlan
    file: PartialFile
    named: bool = False
    fresh: bool = True

    @property
    def header(self) -> bytes:
        """The bytes before the first tensor."""
        return encode_header(self.plan.metadata, self.plan.tensors, self.plan.alignment)


class Workplace:
    """From the lock on one target's journal to its removal.

    In order: `claim`, then `checks` and `judge`, then `prepare`; `record` as rows are
    written; `give_names`; and `finish`, or `leave`, or `discard`.
    """

    def __init__(
        self, target: Target, fingerprint: Mapping[str, Any], *, force: bool, resume: bool
    ) -> None:
        self.target = target
        self.notes: list[str] = []
        self.done: dict[str, Rows] = {}
        self.has_rows = False
        self.done_weights = 0
        self._fingerprint = fingerprint
        self._force = force
        self._resume = resume
        self._journal = JournalFile(target.journal, target.path)
        self._left: Journal | None = None
        self._story: Journal | None = None
        self._rows: tuple[RowsDone, ...] = ()
        self._complete = False
        self.parts = [
            Part(plan, PartialFile(path, plan.file_bytes, _partial(path)))
            for path, plan in zip(target.paths, target.plan.parts, strict=True)
        ]

    # ------------------------------------------------------------------ the start

    def claim(self) -> None:
        """Lock the journal and read it; nothing is changed yet.

        OutputError when another run has it, when it is of something else, and when a file
        is in the way.
        """
        for part in self.parts:
            check_path(part.file.path, force=True)
        if not self.target.journal.exists():  # or it would be left behind by a refusal
            self._refuse_taken()
        self._left = story = self._journal.open()
        self.has_rows = bool(story.rows)
        if self._resume and self.has_rows and story.fingerprint is not None:
            refuse_change(story.fingerprint, self._fingerprint, self.target.path)
            self._story, self._complete = story, story.complete
            for part in self.parts:
                self._look_for(part)
            self._open_found()
        elif self._resume and self.has_rows:
            self.notes.append(f"{self.target.journal} is damaged at its start: starting over")
        self._refuse_taken()

    def _look_for(self, part: Part) -> None:
        file = part.file
        if file.partial.is_file() and not file.partial.is_symlink():
            part.fresh = False
            # Between the link and the removal of the old name.
            linked = file.path.exists() and file.path.samefile(file.partial)
            part.named = self._complete and linked
        elif self._complete and file.path.is_file():
            part.named = file.path.stat().st_size == file.size
            part.fresh = not part.named

    def _open_found(self) -> None:
        for part in self.parts:
            if part.named:
                part.file.adopt()
            elif not part.fresh:
                part.file.reopen()
            else:
                self.notes.append(f"{part.file.partial.name} is gone: it is made again")

    def checks(self) -> list[Check]:
        """What the journal says is there, to be read back."""
        found, rows = [], []
        for done in () if self._story is None else self._story.rows:
            if done.part >= len(self.parts) or done.rows < 1:
                continue
            part = self.parts[done.part]
            if part.fresh or done.tensor >= len(part.plan.tensors):
                continue
            tensor = part.plan.tensors[done.tensor]
            if done.first + done.rows > tensor.rows:
                continue
            start = part.plan.data_offset + tensor.offset + done.first * tensor.row_bytes
            nbytes = done.rows * tensor.row_bytes
            found.append(Check(part.file.fileno(), start, nbytes, done.crc))
            rows.append(done)
        self._rows = tuple(rows)
        return found

    def judge(self, held: Sequence[bool]) -> None:
        """Take what the checks found; see `done` and `notes`.

        OutputError when a file that seemed to be ours is not.
        """
        bad: dict[str, None] = {}
        ranges: dict[str, list[tuple[int, int]]] = {}
        for done, holds in zip(self._rows, held, strict=True):
            name = self.parts[done.part].plan.tensors[done.tensor].name
            if holds:
                ranges.setdefault(name, []).append((done.first, done.first + done.rows))
            else:
                bad[name] = None
        self.done = {name: merged(found) for name, found in ranges.items()}
        for part in self.parts:
            if part.named and not self._is_whole(part):
                self._disown(part)
        if bad:
            self.notes.append(
                f"{self.target.path.name}: {some(bad, _MOST_NAMED)} came back from the disk "
                "damaged: those rows are made again"
            )
        if self._story is not None:
            self.has_rows = bool(self.done)
        self.done_weights = sum(
            tensor.shape[0] * sum(stop - first for first, stop in self.done.get(tensor.name, ()))
            for tensor in self.target.plan.tensors
        )

    def _is_whole(self, part: Part) -> bool:
        if any(self.done.get(each.name) != ((0, each.rows),) for each in part.plan.tensors):
            return False
        header = part.header
        return os.pread(part.file.fileno(), len(header), 0) == header

    def _disown(self, part: Part) -> None:
        """The file has the name, but not what the journal says."""
        part.file.close()
        if not self._force:
            raise taken(part.file.path)
        part.named, part.fresh = False, True
        for tensor in part.plan.tensors:
            self.done.pop(tensor.name, None)

    # ------------------------------------------------------------------ the files

    @property
    def missing_bytes(self) -> dict[Path, int]:
        """How much more each file takes on the disk than it does now."""
        found = {}
        for part in self.parts:
            if part.fresh:
                found[part.file.path] = part.file.size
            else:
                found[part.file.path] = part.file.size - allocated(os.fstat(part.file.fileno()))
        return found

    def make_way(self) -> None:
        """Remove what an earlier run left that is of no use."""
        if self._story is None:
            self.has_rows = False
            for path in {*self.target.paths, *self._paths_left()}:
                _partial(path).unlink(missing_ok=True)

    def _paths_left(self) -> tuple[Path, ...]:
        fingerprint = None if self._left is None else self._left.fingerprint
        files = (fingerprint or {}).get("files")
        count = files.get("number") if isinstance(files, dict) else None
        if not isinstance(count, int) or not 1 <= count <= MAX_PARTS:
            return ()
        return self.target.split_paths(count)

    def prepare(self) -> None:
        """Have the files open, of their size, with header and padding."""
        if self._story is None:
            self._journal.clear()
            self._journal.append(fingerprint_line(self._fingerprint) + run_line(os.getpid()))
        for part in self.parts:
            if part.named:
                part.file.partial.unlink(missing_ok=True)
                continue
            if part.fresh:
                part.file.create()
                part.fresh = False
            else:
                self._clear_padding(part)
            part.file.write(0, part.header)

    @staticmethod
    def _clear_padding(part: Part) -> None:
        """What no checksum covers is written again."""
        at = part.plan.data_offset
        for tensor in part.plan.tensors:
            start = part.plan.data_offset + tensor.offset
            part.file.write(at, bytes(start - at))
            at = start + tensor.nbytes
        part.file.write(at, bytes(part.plan.file_bytes - at))

    def record(self, rows: Sequence[RowsDone]) -> None:
        """Make these rows durable, then say so in the journal. From one thread at a time."""
        for number in {done.part for done in rows}:
            self.parts[number].file.make_durable()
        self._journal.append(b"".join(map(rows_line, rows)))
        self._journal.sync()
        for done in rows:
            tensor = self.parts[done.part].plan.tensors[done.tensor]
            self.done_weights += done.rows * tensor.shape[0]
        self.has_rows = True

    def give_names(self) -> None:
        """All rows are recorded: let the files appear."""
        if not self._complete:
            self._journal.append(complete_line())
            self._journal.sync()
            self._complete = True
        for part in self.parts:
            if not part.named:
                part.file.give_name(force=self._force)
                part.named = True
            part.file.close()

    # -------------------------------------------------------------------- the end

    def finish(self) -> None:
        """Nothing is left to do for this target: the journal goes."""
        self._journal.remove()
        self.leave()

    def leave(self) -> None:
        """Close everything and keep it for the next run."""
        for part in self.parts:
            part.file.close()
        self._journal.close()

    def discard(self) -> None:
        """Remove what is unfinished."""
        if not self._journal.is_open:
            return
        for part in self.parts:
            part.file.remove()
        self.finish()

    def _refuse_taken(self) -> None:
        for part in self.parts:
            if not part.named:
                check_path(part.file.path, force=self._force)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")
