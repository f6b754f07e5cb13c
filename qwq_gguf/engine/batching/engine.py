"""An engine: several texts of one model in the making at once, in one context."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from qwq_gguf.engine.batching.generation import SharedGeneration
from qwq_gguf.engine.batching.limits import Limits
from qwq_gguf.engine.batching.loop import Loop
from qwq_gguf.engine.llama.context_settings import MOST_SEQUENCES, ContextSettings
from qwq_gguf.engine.llama.shared_context import SharedContext, can_be_cut
from qwq_gguf.errors import ModelError
from qwq_gguf.machine.batches import CPU_BATCH

if TYPE_CHECKING:
    from types import TracebackType

    from qwq_gguf.engine.llama.kv_context import PromptProgress
    from qwq_gguf.engine.model import Model
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["Engine", "EngineSequence"]

# Sequences besides the running ones, in which ended texts keep what others may begin with.
_STORED = 8
# Tokens of a step with prompts that others wait for: a fifth of a second for a small model on a
# processor, where more at once gain next to nothing.
_CPU_CHUNK = 32
_GPU_CHUNK = 256


class Engine:
    """Computes several texts at once, fairly; a context manager.

    All share the context that the model was given: one text may have all of it, if the others
    leave that. From any thread; closing the model closes it.
    """

    def __init__(
        self,
        model: Model,
        *,
        sequences: int = 4,
        waiting: int = 64,
        settings: ContextSettings | None = None,
    ) -> None:
        """`sequences` texts are in the making at once, and `waiting` ones may wait for a turn.

        `settings` are those of the KV cache (default: the model's). ModelError for numbers
        that make no sense.
        """
        if not 1 <= sequences <= MOST_SEQUENCES or waiting < 0:
            raise ModelError(
                "an engine cannot have so many sequences",
                found=f"{sequences}, and {waiting} waiting",
                expected=f"1 to {MOST_SEQUENCES}",
            )
        self.model = model
        self.sequences = sequences
        # A state that cannot be cut serves no other text, and is large.
        stored = _STORED if can_be_cut(model) else 0
        seats = min(MOST_SEQUENCES, sequences + stored)
        settings = replace(settings or model.settings, sequences=seats)
        if sequences > 1 and not model.gpu_layers and settings.batch is None:
            settings = replace(settings, batch=max(CPU_BATCH, seats))  # others may come meanwhile
        context = SharedContext(model, settings)
        chunk = _GPU_CHUNK if model.gpu_layers else _CPU_CHUNK
        limits = Limits(
            running=sequences,
            seats=seats,
            cells=model.context_size,
            batch=context.batch_size,
            chunk=min(chunk, context.batch_size),
            waiting=waiting,
            cuttable=context.cuttable,
        )
        self._loop = Loop(context, limits)
        # Also the last resort, for one that nobody closed, and at the end of the program.
        self._finalizer = weakref.finalize(self, self._loop.stop)
        self._loop.start()
        try:
            model.adopt(self)
        except BaseException:
            self.close()
            raise

    @property
    def open(self) -> int:
        """Texts that are in the making, or wait for it."""
        return self._loop.open

    @property
    def running(self) -> int:
        """Texts that are in the making."""
        return self._loop.running

    @property
    def used_tokens(self) -> int:
        """Tokens of the context that are taken, by ended texts, too, until others want the room."""
        return self._loop.used_cells

    def sequence(self) -> EngineSequence:
        """A place for one text at a time, to be used like a session."""
        return EngineSequence(self, self._loop)

    def drain(self, seconds: float) -> bool:
        """Take nothing new, and give what runs so long to end; then it is interrupted.

        An interrupted reply ends in words as one does that a user stops. Whether all had ended.
        """
        return self._loop.drain(seconds)

    def close(self) -> None:
        """End what runs, with a ModelError for its readers, and free the context."""
        self._finalizer()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class EngineSequence:
    """As `Session`, but computed with others. Its generations may be read from any thread.

    It keeps no cells of its own: what a prompt begins with is found wherever it was computed.
    """

    def __init__(self, engine: Engine, loop: Loop) -> None:
        """Made by `Engine.sequence`."""
        self.model = engine.model
        self._engine = engine  # which would be closed if nobody had it any more
        self._loop = loop
        self._running: SharedGeneration | None = None
        self._closed = False
        self._beginning = threading.RLock()  # reentrant: signal handlers may begin one

    @property
    def context_size(self) -> int:
        """Tokens that prompt and generation may have together."""
        return self.model.context_size

    @property
    def cached_tokens(self) -> int:
        """Tokens of the last text: what the next prompt may have in common with it."""
        last = self._running
        return 0 if last is None or last.tokens == 0 else last.prompt_tokens + last.tokens - 1

    def generate(
        self,
        prompt: Sequence[int],
        chain: SamplerChain,
        *,
        seed: int,
        max_tokens: int | None = None,
        stop_tokens: Collection[int] = (),
        on_prompt: PromptProgress | None = None,
    ) -> SharedGeneration:
        """Continue a prompt, as `Session.generate`; it waits for its turn when it is read.

        BusyError, when it is read, if as many wait as may.
        """
        self._check()
        self.model.files.check()
        generation = SharedGeneration(
            self._loop,
            self.model,
            prompt,
            chain,
            seed=seed,
            max_tokens=max_tokens,
            stop_tokens=stop_tokens,
            on_prompt=on_prompt,
        )
        with self._beginning:
            self._supersede()
            self._running = generation
        return generation

    def interrupt(self) -> None:
        """End the running generation at once (a prompt) or with its next token."""
        if self._running is not None:
            self._running.interrupt()

    def forget(self) -> None:
        """An unfinished generation of this sequence ends. What others may use, is kept."""
        with self._beginning:
            self._supersede()
            self._running = None

    def close(self) -> None:
        """End its generation; may be called twice."""
        self._closed = True
        with self._beginning:
            if self._running is not None:
                self._running.supersede(_closed())

    def _check(self) -> None:
        self.model.owned.check()
        if self._closed:
            raise _closed()
        self._loop.check()

    def _supersede(self) -> None:
        if self._running is not None:
            self._running.supersede(
                ModelError(
                    "this generation was ended: its sequence has begun another one, or was emptied",
                    hint="read it to its end first, or use two sequences",
                )
            )


def _closed() -> ModelError:
    return ModelError("this sequence is closed", hint="make a new one from its engine")
