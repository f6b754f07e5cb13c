"""Making what is written durable, beside the writing.

A thread syncs the files and then their journals about once a second, so that a run that is
killed has lost no more than that, and the writer does not wait for the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Condition, Thread

from qwq_gguf.quantization.writing.journal import RowsDone

__all__ = ["Recorder"]

SYNC_SECONDS = 1.0


class Recorder:
    """Takes rows as they are written, and has them recorded in batches.

    `record` makes those of one target durable and writes them into its journal; it is
    called on the thread, for one target after the other. What it raises is raised again by
    the next call of `add` or `flush`.
    """

    def __init__(self, record: Callable[[int, Sequence[RowsDone]], None]) -> None:
        self._record = record
        self._change = Condition()
        self._pending: dict[int, list[RowsDone]] = {}
        self._after: list[tuple[int, Callable[[BaseException | None], None]]] = []
        self._added = 0
        self._durable = 0
        self._hurry = False
        self._stopped = False
        self._problem: BaseException | None = None
        self._thread: Thread | None = None

    def add(self, target: int, done: RowsDone) -> None:
        """These rows of a target are written."""
        with self._change:
            self._raise()
            self._pending.setdefault(target, []).append(done)
            self._added += 1
            if self._thread is None:
                self._thread = Thread(target=self._work, name="sync", daemon=True)
                self._thread.start()
            elif self._added == self._durable + 1:
                self._change.notify_all()

    def soon(self, then: Callable[[BaseException | None], None]) -> None:
        """Have all that was added recorded without delay, and then call `then`, on the thread,
        with what kept it from being recorded, if anything did.

        Nobody has to come and ask: what waits for `then` may be what keeps others from adding.
        """
        with self._change:
            if self._problem is None and self._durable < self._added:
                self._after.append((self._added, then))
                self._hurry = True
                self._change.notify_all()
                return
        then(self._problem)

    def flush(self) -> None:
        """Return when all that was added is recorded, and who asked for it was told."""
        with self._change:
            ticket = self._added
            self._hurry = True
            self._change.notify_all()
            self._change.wait_for(lambda: self._durable >= ticket or self._problem is not None)
            self._raise()

    def close(self) -> None:
        """End the thread; what is not recorded yet will not be."""
        with self._change:
            self._stopped = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _raise(self) -> None:
        if self._problem is not None:
            raise self._problem

    def _work(self) -> None:
        try:
            while True:
                batch, upto = self._next()
                if batch is None:
                    return
                for target, rows in batch.items():
                    self._record(target, rows)
                self._tell(upto)
        except BaseException as problem:
            with self._change:
                self._problem = problem
                waiting, self._after = self._after, []
                self._change.notify_all()
            for _, then in waiting:
                then(problem)

    def _tell(self, upto: int) -> None:
        """So many are recorded: call who waits for them, then say so."""
        while True:
            with self._change:
                due = [then for ticket, then in self._after if ticket <= upto]
                self._after = [each for each in self._after if each[0] > upto]
                if not due:
                    self._durable = upto
                    self._change.notify_all()
                    return
            for then in due:
                then(None)

    def _next(self) -> tuple[Mapping[int, list[RowsDone]] | None, int]:
        with self._change:
            self._change.wait_for(lambda: self._stopped or bool(self._pending))
            # Waiting for more makes fewer, larger batches.
            self._change.wait_for(lambda: self._stopped or self._hurry, SYNC_SECONDS)
            if self._stopped:
                return None, 0
            batch, self._pending = self._pending, {}
            self._hurry = False
            return batch, self._added
