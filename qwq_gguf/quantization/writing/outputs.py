"""The files that a run makes, from the first look at the disk to their names.

    with Outputs(targets) as outputs:       locked, compared, checked, the disk reserved
        run_plans(targets, outputs=outputs) what is missing is made; the files appear
        ...                                 what belongs beside them
        outputs.finish()                    the journals go

Whatever ends this before `finish` leaves files and journals for the same command to go on
with, except where that could not succeed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from qwq_gguf.checkpoint.identity import ABSENT, shard_identity
from qwq_gguf.errors import ShardError, TensorError, WrongShardError
from qwq_gguf.quantization.writing.fingerprint import fingerprint, shards_of
from qwq_gguf.quantization.writing.free_space import check_free_space
from qwq_gguf.quantization.writing.journal import RowsDone
from qwq_gguf.quantization.writing.rechecking import check_all
from qwq_gguf.quantization.writing.syncing import Recorder
from qwq_gguf.quantization.writing.unfinished import Workplace
from qwq_gguf.quantization.writing.versions import tool_versions
from qwq_gguf.words import human_bytes

if TYPE_CHECKING:
    from qwq_gguf.quantization.running.chunks import Chunk, Place
    from qwq_gguf.quantization.running.rows import Rows
    from qwq_gguf.quantization.running.target import Follower, Target

__all__ = ["Outputs"]


class Outputs:
    """The files of all targets; see above.

    `resume`: go on with unfinished files, if they are of the same plans, versions and
    shards. `identity` says of a shard what tells it from any other content, in a line for
    people. `checking` hears how many bytes of unfinished files are read back, of how many.

    After entering, `done` says for each target which rows are there, and `notes` are
    sentences about it. OutputError: another run makes one of the files, an unfinished one
    is of something else, a path is taken and `force` is off, a folder is missing, or a disk
    too small.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        force: bool = False,
        resume: bool = True,
        identity: Callable[[Path], str] = shard_identity,
        checking: Callable[[int, int], None] | None = None,
    ) -> None:
        self.targets = tuple(targets)
        self._identity = identity
        self._checking = checking
        versions = tool_versions()
        self._places = [
            Workplace(
                target,
                fingerprint(
                    target.plan, identity=self._identity, versions=versions, about=target.about
                ),
                force=force,
                resume=resume,
            )
            for target in self.targets
        ]
        self._shards = self._identities()
        self._recorder = Recorder(lambda target, rows: self._places[target].record(rows))
        self._numbers = [
            {
                tensor.name: (number, index)
                for number, part in enumerate(target.plan.parts)
                for index, tensor in enumerate(part.tensors)
            }
            for target in self.targets
        ]
        self._followers: list[list[Follower | None]] = []
        self._entered = self._finished = False
        self.notes: list[str] = []
        self.kept: list[tuple[Path, float]] = []
        """After leaving early: what is kept for the same command to go on with, and which
        share of it is done."""

    # ------------------------------------------------------------------ the start

    def __enter__(self) -> Outputs:
        with ExitStack() as undo:
            undo.callback(self._leave, worth=True)
            for place in self._places:
                place.claim()
            self._check()
            for place in self._places:
                place.make_way()
            check_free_space(
                {k: v for place in self._places for k, v in place.missing_bytes.items()}
            )
            for place in self._places:
                place.prepare()
            undo.pop_all()
        self._entered = True
        return self

    @property
    def done(self) -> tuple[Mapping[str, Rows], ...]:
        """For each target, the rows of its tensors that are there."""
        return tuple(place.done for place in self._places)

    @property
    def present_bytes(self) -> int:
        """What the files take on the disk already, the room reserved for them included."""
        sizes = sum(part.file_bytes for each in self.targets for part in each.plan.parts)
        return sizes - sum(sum(place.missing_bytes.values()) for place in self._places)

    def _check(self) -> None:
        """Read back what the journals say is there."""
        checks = [place.checks() for place in self._places]
        nbytes = sum(check.nbytes for each in checks for check in each)
        begun = time.monotonic()
        held = iter(check_all([check for each in checks for check in each], self._checking))
        for place, each in zip(self._places, checks, strict=True):
            place.judge([next(held) for _ in each])
            self.notes += place.notes
        if nbytes:
            seconds = time.monotonic() - begun
            self.notes.append(
                f"going on at {100 * self._share():.0f} %: checked {human_bytes(nbytes)} of an "
                f"unfinished run in {seconds:.1f} s (--no-resume starts over)"
            )

    def _share(self) -> float:
        done = sum(place.done_weights for place in self._places)
        return done / sum(target.plan.weights for target in self.targets)

    # ----------------------------------------------------------------- the writing

    def follow(self, followers: Sequence[Sequence[Follower]]) -> None:
        """Tell the followers of each target, one a part or none, what is there already."""
        for place, given in zip(self._places, followers, strict=True):
            row: list[Follower | None] = list(given) or [None] * len(place.parts)
            self._followers.append(row)
            for part, follower in zip(place.parts, row, strict=True):
                if follower is None:
                    continue
                start = part.plan.data_offset
                follower.begin(part.plan, part.file.path, part.file.fileno())
                follower.written(0, start)
                for tensor in part.plan.tensors:
                    for first, stop in place.done.get(tensor.name, ()):
                        at = start + tensor.offset + first * tensor.row_bytes
                        follower.written(at, (stop - first) * tensor.row_bytes)

    def write(self, place: Place, chunk: Chunk, blocks: memoryview, crc: int) -> None:
        """Put the blocks of a chunk's rows where one of the targets wants them."""
        start = place.data_offset + place.tensor.offset + chunk.first * place.tensor.row_bytes
        self._places[place.target].parts[place.part].file.write(start, blocks)
        follower = self._followers[place.target][place.part]
        if follower is not None:
            follower.written(start, blocks.nbytes)
        part, tensor = self._numbers[place.target][place.tensor.name]
        self._recorder.add(place.target, RowsDone(part, tensor, chunk.first, chunk.rows, crc))

    def sync_soon(self, then: Callable[[BaseException | None], None]) -> None:
        """Make durable and record what is written so far, beside the writing; then call `then`,
        from the thread that does it, with what kept it from being done.
        """
        self._recorder.soon(then)

    def flush(self) -> None:
        """Make durable and record what is written so far. OutputError."""
        self._recorder.flush()

    def commit(self) -> None:
        """All is written: let the files appear. ShardError if a shard is not what it was."""
        self.flush()
        for shard, now in self._changed().items():
            raise ShardError(
                "the shard changed while it was read",
                path=shard,
                found=now,
                expected=self._shards[shard],
                hint="let nothing change the checkpoint while it is being converted",
            )
        for place in self._places:
            place.give_names()

    # -------------------------------------------------------------------- the end

    def finish(self) -> None:
        """All that belongs to the files is there: forget how they were made."""
        for place in self._places:
            place.finish()
        self._finished = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        bad = isinstance(error, (TensorError, WrongShardError))
        worth = self._finished or not (bad or self._changed())
        try:
            if worth and not self._finished:
                self.flush()
        except Exception:  # a full disk, say: what is recorded so far has to do
            pass
        finally:
            self._leave(worth=worth)

    def _leave(self, *, worth: bool) -> None:
        """`worth`: the same command could succeed."""
        self._recorder.close()
        if self._finished:
            return
        for place in self._places:
            if worth and place.has_rows:
                place.leave()
                if not self._entered:
                    continue
                share = place.done_weights / place.target.plan.weights
                self.kept.append((place.target.path, share))
            else:
                place.discard()

    def _changed(self) -> dict[Path, str]:
        """The shards that are not what they were. One that is gone may come back as it was."""
        now = self._identities()
        return {
            shard: now[shard]
            for shard, before in self._shards.items()
            if now[shard] not in (before, ABSENT)
        }

    def _identities(self) -> dict[Path, str]:
        return {
            shard: self._identity(shard)
            for target in self.targets[:1]
            for shard in shards_of(target.plan)
        }
