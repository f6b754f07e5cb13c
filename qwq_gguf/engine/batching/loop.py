"""The thread that computes: it does what the scheduler plans, and picks for each text.

Nobody else touches its context. Others hand in messages, through a queue that signal
handlers may use, and get items from a queue of their own. What is done with a text's tokens
(its reply, its governor) is done here, between two picks: a decision about the next token
can't wait for a reader. It takes some dozen microseconds a token.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.batching.gathering import Gathering
from qwq_gguf.engine.batching.limits import Limits
from qwq_gguf.engine.batching.scheduler import Scheduler
from qwq_gguf.engine.batching.text import Copy, Cut, Run, Text
from qwq_gguf.engine.llama.kv_context import ABORTED, FULL
from qwq_gguf.engine.llama.shared_context import Piece, SharedContext
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
        self._gathering = Gathering()
        self._inbox: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        # Dictionaries, as their single operations are atomic: no lock, which a signal handler
        # could interrupt the holder of.
        self._open: dict[SharedGeneration, None] = {}
        self._making: dict[object, SharedGeneration] = {}
        self._computing: tuple[SharedGeneration, ...] = ()
        self._awaited: set[SharedGeneration] = set()
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
        self._inbox.put(lambda: self._go_on(generation))

    def leave(self, generation: SharedGeneration) -> None:
        """Its reader does not."""
        self._inbox.put(lambda: self._finish(generation, FinishReason.INTERRUPTED))
        computing = self._computing
        # What others wait for, too, is computed; it is one step at most.
        if computing and all(each.interrupted or each.dropped for each in computing):
            self._context.abort.set()

    def forget(self) -> None:
        """Give up what ended texts have left in the cache."""
        self._inbox.put(lambda: self._move(self._scheduler.forget()))

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        failed: BaseException | None = None
        try:
            while self._hear():
                self._step()
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
        self._awaited.clear()
        return not self._stopping

    def _patience(self, was_idle: bool) -> float:
        """Seconds to wait for what may be handed in yet, before the next step."""
        if self._awaited:
            return _GRACE
        return self._gathering.patience(self._scheduler.new_tokens) if was_idle else 0.0

    def _step(self) -> None:
        step = self._scheduler.plan()
        self._move(step.moves)
        self._nothing_to_do = not step.runs
        if step.runs:
            self._compute(step.runs)

    def _move(self, moves: Sequence[Cut | Copy]) -> None:
        for move in moves:
            if isinstance(move, Cut):
                self._context.cut(move.seat, move.keep)
            else:
                self._context.copy(move.source, move.target, move.size)

    def _compute(self, runs: Sequence[Run]) -> None:
        began = time.perf_counter()
        self._computing = computing = tuple(self._making[run.text] for run in runs)
        status = self._context.compute(
            [
                Piece(
                    run.seat, run.first, run.text.tokens[run.first : run.first + run.size], run.last
                )
                for run in runs
            ]
        )
        self._computing = ()
        if status != 0:
            self._mend(status, runs)
            return
        self._scheduler.done(runs)
        ends = list(accumulate(run.size for run in runs))
        sound = self._context.sound_logits
        if not all(sound(end - 1) for run, end in zip(runs, ends, strict=True) if run.last):
            self._find_damage(runs)
            return
        took = time.perf_counter() - began
        if len(runs) < ends[-1]:
            self._gathering.learn(ends[-1], took)
        for run, end in zip(runs, ends, strict=True):
            generation = self._making[run.text]
            if generation.tokens and run.size == 1:
                generation.seconds += took
            else:
                generation.prompt_seconds += took
                generation.reused_tokens = run.text.reused
                generation.tell(run.first + run.size)
            if run.last:
                self._advance(generation, run.text, end - 1)
        for generation in computing:
            generation.hand_over()

    def _advance(self, generation: SharedGeneration, text: Text, at: int) -> None:
        """The next token of a text; whatever is wrong with it is no other's trouble."""
        try:
            token = generation.step(self._context, at)
        except BaseException as error:
            self._finish(generation, None, error)
            return
        if token is None:
            self._finish(generation, FinishReason.STOP)
            return
        self._scheduler.write(text, token)
        text.ready = generation.wanted
        if not text.ready and generation.in_step:
            self._awaited.add(generation)

    def _find_damage(self, runs: Sequence[Run]) -> None:
        """Some logits are no numbers. In a shared cache what one text has may get into others."""
        if len(runs) == 1:
            self._finish(self._making[runs[0].text], None, self._context.damaged())
        self._context.empty()
        self._scheduler.restart(suspect=len(runs) > 1)

    def _mend(self, status: int, runs: Sequence[Run]) -> None:
        """A batch that was not computed."""
        if self._context.cuttable:
            for run in runs:
                self._context.cut(run.seat, run.first)
        else:
            self._context.empty()
            self._scheduler.restart(suspect=False)
        if status == ABORTED:  # whoever did it is heard next
            if not self._stopping:
                self._context.abort.clear()
        elif status == FULL and (cuts := self._scheduler.give_way()) is not None:
            self._move(cuts)
        elif status == FULL:
            self._finish(self._making[runs[0].text], FinishReason.CONTEXT)
        elif len(runs) > 1:
            for run in runs:
                if run.text.seat == run.seat:
                    self._compute([run])
        else:
            error = self._context.failure(status)
            self._finish(self._making[runs[0].text], None, error, keep=False)

    # ------------------------------------------------------------ what was handed in

    def _take_in(self, generation: SharedGeneration) -> None:
        if generation not in self._open:
            return
        if generation.interrupted or generation.dropped:
            self._finish(generation, FinishReason.INTERRUPTED)
            return
        generation.text = text = self._scheduler.join(generation.prompt)
        self._making[text] = generation

    def _go_on(self, generation: SharedGeneration) -> None:
        self._awaited.discard(generation)
        if generation.text is not None:
            generation.text.ready = generation.wanted

    def _finish(
        self,
        generation: SharedGeneration,
        reason: FinishReason | None,
        error: BaseException | None = None,
        *,
        keep: bool = True,
    ) -> None:
        self._awaited.discard(generation)
        text, generation.text = generation.text, None
        if text is not None:
            del self._making[text]
            self._move(self._scheduler.leave(text, keep=keep))
        self._open.pop(generation, None)
        generation.end(reason, error)

    def _leave_open(self, generation: SharedGeneration, error: BaseException) -> None:
        self._open.pop(generation, None)
        generation.end(None, error)


def closed() -> ModelError:
    """What to say of an engine that was closed."""
    return ModelError("the engine is closed", hint="make a new one; this one cannot be used again")
