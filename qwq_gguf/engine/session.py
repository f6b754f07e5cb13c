"""Tokens in, tokens out, with what prompts have in common kept in a KV cache."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from qwq_gguf.engine.generation import Generation
from qwq_gguf.engine.guessing import GuessingGeneration
from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.llama.kv_context import KvContext, PromptProgress
from qwq_gguf.engine.llama.sequence_state import SequenceState
from qwq_gguf.engine.writing import Generated

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.engine.model import Model
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["Generated", "Generation", "PromptProgress", "Session"]


class Session:
    """A text in the making. Use from one thread at a time; `interrupt` from any."""

    def __init__(self, model: Model, settings: ContextSettings | None = None) -> None:
        """`settings` are those of its KV cache (default: the model's). It guesses tokens ahead
        where the model is to (`Model.speculate`).
        """
        self.model = model
        self.settings = settings or model.settings
        self._context = KvContext(model, settings)
        self._drafter = None if model.speculation is None else model.speculation.drafter()
        self._running: Generation | None = None
        self._beginning = threading.RLock()  # reentrant: signal handlers may begin one
        model.adopt(self)

    @property
    def context_size(self) -> int:
        """Tokens that prompt and generation may have together."""
        return self.model.context_size

    @property
    def cached_tokens(self) -> int:
        """Tokens in the KV cache."""
        return self._context.cached_tokens

    def generate(
        self,
        prompt: Sequence[int],
        chain: SamplerChain,
        *,
        seed: int,
        max_tokens: int | None = None,
        stop_tokens: Collection[int] = (),
        on_prompt: PromptProgress | None = None,
    ) -> Generation:
        """Continue a prompt; an unfinished generation of this session ends.

        `seed` is 0 to 2**32 - 2. Generation ends at a token that ends a text, at one of
        `stop_tokens`, after `max_tokens`, when the context is full, or when interrupted.
        PromptTooLongError, before anything is computed, when prompt and one token don't
        fit.

        A grammar for the answer acts at once, unless `Generation.expect_thought` says that
        a thought comes first.
        """
        self._context.owned.check()
        self.model.files.check()
        begin = (
            Generation
            if self._drafter is None
            else partial(GuessingGeneration, drafter=self._drafter)
        )
        generation = begin(
            self._context,
            self.model,
            list(prompt),
            chain,
            seed=seed,
            max_tokens=max_tokens,
            stop_tokens=stop_tokens,
            on_prompt=on_prompt,
        )
        with self._beginning:  # of two at the same moment one ends the other
            if self._running is not None:
                self._running.supersede()
            self._context.abort.clear()
            self._running = generation
            return generation

    def logits(self) -> npt.NDArray[np.float32]:
        """The logits from which the last token was picked, one a token of the vocabulary."""
        return self._context.logits(-1 if self._running is None else self._running.place)

    def interrupt(self) -> None:
        """End the running generation at once (a prompt) or with its next token."""
        self._context.abort.set()
        if self._drafter is not None:
            self._drafter.interrupt()

    def take_note(self) -> str | None:
        """What the user should know of how it goes, once; now only that the computer is busy."""
        return self._context.busy.take_note()

    def state(self) -> SequenceState:
        """The tokens in the KV cache and what was computed of them, to go on from later."""
        return self._context.state()

    def restore(self, state: SequenceState) -> bool:
        """Go on from there; an unfinished generation of this session ends.

        `state` is of this model, library and kind of context, and from nowhere else: see
        `sequence_state`. If llama.cpp does not take it the cache is empty, and False.
        """
        with self._beginning:
            if self._running is not None:
                self._running.supersede()
            return self._context.restore(state)

    def forget(self) -> None:
        """Empty the KV cache; an unfinished generation of this session ends."""
        with self._beginning:
            if self._running is not None:
                self._running.supersede()
            self._context.forget()

    def close(self) -> None:
        """Free the context; may be called twice."""
        self._context.close()
        if self._drafter is not None:
            self._drafter.close()
