"""One step after another: what the scheduler plans is computed, and each text's next token picked.

What goes wrong with one text ends that text, and what goes wrong with a batch is mended here.
All of it is for the thread of `loop.py`, which brings texts and takes away those that have ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.batching.gathering import Gathering
from qwq_gguf.engine.batching.scheduler import Scheduler
from qwq_gguf.engine.batching.text import Copy, Cut, Run, Text
from qwq_gguf.engine.llama.kv_context import ABORTED, FULL
from qwq_gguf.engine.llama.shared_context import Piece, SharedContext

if TYPE_CHECKING:
    from qwq_gguf.engine.batching.generation import SharedGeneration

__all__ = ["Computing"]


class Computing:
    """A context with the texts that it computes."""

    def __init__(
        self,
        context: SharedContext,
        scheduler: Scheduler,
        *,
        ended: Callable[[SharedGeneration], object],
        stopping: Callable[[], bool],
    ) -> None:
        """`ended` hears of each text that is none of its any more. Once it is `stopping`, an
        abort of the context stays.
        """
        self._context = context
        self._scheduler = scheduler
        self._gathering = Gathering()
        self._ended = ended
        self._stopping = stopping
        self._making: dict[object, SharedGeneration] = {}
        #: The texts of the decode that runs; read by other threads.
        self.computing: tuple[SharedGeneration, ...] = ()
        #: Those whose readers are in step with them, and have not asked for more yet.
        self.awaited: set[SharedGeneration] = set()

    @property
    def patience(self) -> float:
        """Seconds that an idle engine may wait for more prompts before the next step."""
        return self._gathering.patience(self._scheduler.new_tokens)

    def take_in(self, generation: SharedGeneration) -> None:
        """Another text, which waits for its turn."""
        generation.text = text = self._scheduler.join(generation.prompt)
        self._making[text] = generation

    def go_on(self, generation: SharedGeneration) -> None:
        """Its reader wants more."""
        self.awaited.discard(generation)
        if generation.text is not None:
            generation.text.ready = generation.wanted

    def step(self) -> bool:
        """Do what is next; whether there was anything to compute."""
        step = self._scheduler.plan()
        self._move(step.moves)
        if step.runs:
            self._compute(step.runs)
        return bool(step.runs)

    def finish(
        self,
        generation: SharedGeneration,
        reason: FinishReason | None,
        error: BaseException | None = None,
        *,
        keep: bool = True,
    ) -> None:
        """This text has ended, by a reason or an error; what is computed of it may serve others,
        unless it is not to be kept.
        """
        self.awaited.discard(generation)
        text, generation.text = generation.text, None
        if text is not None:
            del self._making[text]
            self._move(self._scheduler.leave(text, keep=keep))
        self._ended(generation)
        generation.end(reason, error)

    def forget(self) -> None:
        """Give up what ended texts have left."""
        self._move(self._scheduler.forget())

    def _move(self, moves: Sequence[Cut | Copy]) -> None:
        for move in moves:
            if isinstance(move, Cut):
                self._context.cut(move.seat, move.keep)
            else:
                self._context.copy(move.source, move.target, move.size)

    def _compute(self, runs: Sequence[Run]) -> None:
        began = time.perf_counter()
        self.computing = computing = tuple(self._making[run.text] for run in runs)
        status = self._context.compute(
            [
                Piece(
                    run.seat, run.first, run.text.tokens[run.first : run.first + run.size], run.last
                )
                for run in runs
            ]
        )
        self.computing = ()
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
            self.finish(generation, None, error)
            return
        if token is None:
            self.finish(generation, FinishReason.STOP)
            return
        self._scheduler.write(text, token)
        text.ready = generation.wanted
        if not text.ready and generation.in_step:
            self.awaited.add(generation)

    def _find_damage(self, runs: Sequence[Run]) -> None:
        """Some logits are no numbers. In a shared cache what one text has may get into others."""
        if len(runs) == 1:
            self.finish(self._making[runs[0].text], None, self._context.damaged())
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
            if not self._stopping():
                self._context.abort.clear()
        elif status == FULL and (cuts := self._scheduler.give_way()) is not None:
            self._move(cuts)
        elif status == FULL:
            self.finish(self._making[runs[0].text], FinishReason.CONTEXT)
        elif len(runs) > 1:
            for run in runs:
                if run.text.seat == run.seat:
                    self._compute([run])
        else:
            error = self._context.failure(status)
            self.finish(self._making[runs[0].text], None, error, keep=False)
