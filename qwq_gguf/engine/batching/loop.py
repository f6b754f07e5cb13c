"""The thread that computes: what is handed in, what it waits for, and its end.

Nobody else touches its context. Others hand in messages, through a queue that signal
handlers may use, and get items from a queue of their own. What is done with a text's tokens
(its reply, its governor) is done here, between two picks: a decision about the next token
can't wait for a reader. It takes some dozen microseconds a token.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.batching.computing import Computing
from qwq_gguf.engine.batching.limits import Limits
from qwq_gguf.engine.batching.scheduler import Scheduler
from qwq_gguf.engine.llama.shared_context import SharedContext
from qwq_gguf.errors import BusyError, ModelError

if TYPE_CHECKING:
    from qwq_gguf.engine.batching.generation import SharedGeneration

__all__ = ["Loop", "closed"]

# Readers in step with their tokens are waited for so long, to have them all in one batch.
_GRACE = 0.001
# How often it looks whether a text without a reader has to give up its turn.
_WATCH = 0.02


class Loop:
    """Begun by `start`, ended by `stop`; the rest may be called from any thread."""

    def __init__(self, context: SharedContext, limits: Limits) -> None:
        self._context = context
        self._limits = limits
        self._scheduler = Scheduler(limits)
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # Dictionaries, as their single operations are atomic: no lock, which a signal handler
        # could interrupt the holder of.
        self._open: dict[SharedGeneration, None] = {}
        self._work = Computing(
            context, self._scheduler, ended=self._left, stopping=lambda: self._stopping
        )
        self._nothing_to_do = True
        self._stopping = False
        self._draining = False
        self._ended: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="qwq-gguf engine", daemon=True)

    @property
    def open(self) -> int:
        """Generations that run or wait."""
        return len(self._open)

    @property
    def running(self) -> int:
        """Generations that have a turn; of `open` ones the others wait."""
        return len(self._scheduler.running)

    @property
    def used_cells(self) -> int:
        """Cells of the cache that are taken, by ended texts, too."""
        return self._scheduler.used_cells

    def check(self) -> None:
        """The error that it has ended by, if it has."""
        if self._ended is not None:
            raise self._ended
        if self._stopping:
            raise closed()

    def start(self) -> None:
        """Begin to compute what is handed in."""
        self._thread.start()

    def stop(self) -> None:
        """End all that runs, with a ModelError for its readers, and wait for the thread."""
        self._stopping = True
        self._context.abort.set()
        self._inbox.put(None)
        if self._thread is not threading.current_thread() and self._thread.ident is not None:
            self._thread.join()

    def drain(self, seconds: float) -> bool:
        """Take in nothing new, and let what runs come to its end; what is left then is interrupted.

        Whether nothing was left.
        """
        self._draining = True
        until = time.monotonic() + seconds
        while self._open and time.monotonic() < until:
            time.sleep(0.01)
        left = list(self._open)
        for generation in left:
            generation.interrupt()
        return not left

    def join(self, generation: SharedGeneration) -> None:
        """Take it in. BusyError when as many wait as may, ModelError once it has ended."""
        if self._draining:
            raise BusyError("the engine is about to end", hint="ask again when it is back")
        self._open[generation] = None
        if len(self._open) > self._limits.running + self._limits.waiting:
            del self._open[generation]
            raise BusyError(
                "too many wait for an answer already",
                found=f"{len(self._open)}",
                hint="ask again later, or load the model for more sequences",
            )
        self._inbox.put(lambda: self._take_in(generation))
        if self._ended is not None:  # and nobody reads the queue any more
            self._leave_open(generation, self._ended)

    def go_on(self, generation: SharedGeneration) -> None:
        """Its reader wants more."""
        self._inbox.put(lambda: self._work.go_on(generation))

    def leave(self, generation: SharedGeneration) -> None:
        """Its reader does not."""
        self._inbox.put(lambda: self._work.finish(generation, FinishReason.INTERRUPTED))
        computing = self._work.computing
        # What others wait for, too, is computed; it is one step at most.
        if computing and all(each.interrupted or each.dropped for each in computing):
            self._context.abort.set()

    def forget(self) -> None:
        """Give up what ended texts have left in the cache."""
        self._inbox.put(self._work.forget)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        failed: BaseException | None = None
        try:
            while self._hear():
                self._nothing_to_do = not self._work.step()
        except BaseException as error:
            failed = error
        self._ended = failed or closed()
        for generation in list(self._open):
            self._leave_open(generation, self._ended)
        self._context.close()

    def _hear(self) -> bool:
        """Do what was handed in, and wait for it if there is nothing to compute."""
        began = time.monotonic()
        idle = was_idle = self._nothing_to_do
        while not self._stopping:
            try:
                if idle:
                    message = self._inbox.get(timeout=_WATCH if self._scheduler.waiting else None)
                    began = time.monotonic()
                elif (left := began + self._patience(was_idle) - time.monotonic()) > 0:
                    message = self._inbox.get(timeout=left)
                else:
                    message = self._inbox.get_nowait()
            except Empty:
                break
            if message is not None:
                message()
            idle = False
        self._work.awaited.clear()
        return not self._stopping

    def _patience(self, was_idle: bool) -> float:
        """Seconds to wait for what may be handed in yet, before the next step."""
        if self._work.awaited:
            return _GRACE
        return self._work.patience if was_idle else 0.0

    def _take_in(self, generation: SharedGeneration) -> None:
        if generation not in self._open:
            return
        if generation.interrupted or generation.dropped:
            self._work.finish(generation, FinishReason.INTERRUPTED)
            return
        self._work.take_in(generation)

    def _left(self, generation: SharedGeneration) -> None:
        self._open.pop(generation, None)

    def _leave_open(self, generation: SharedGeneration, error: BaseException) -> None:
        self._left(generation)
        generation.end(None, error)


def closed() -> ModelError:
    """What to say of an engine that was closed."""
    return ModelError("the engine is closed", hint="make a new one; this one cannot be used again")
