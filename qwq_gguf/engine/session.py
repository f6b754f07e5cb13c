"""Tokens in, tokens out: the decode loop.

Each step is two native calls, decode and sample; nothing here grows with the length of
what was generated.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.llama.context_settings import ContextSettings
from qwq_gguf.engine.llama.kv_context import ABORTED, FULL, KvContext, PromptProgress
from qwq_gguf.engine.llama.sequence_state import SequenceState
from qwq_gguf.engine.one_reader import OneReader
from qwq_gguf.engine.writing import Driver, Generated, Writing
from qwq_gguf.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.engine.model import Model
    from qwq_gguf.sampling.chain import SamplerChain

E = TypeVar("E")

__all__ = ["Generated", "Generation", "PromptProgress", "Session"]


class Session:
    """A text in the making. Use from one thread at a time; `interrupt` from any."""

    def __init__(self, model: Model, settings: ContextSettings | None = None) -> None:
        """`settings` are those of its KV cache (default: the model's)."""
        self.model = model
        self.settings = settings or model.settings
        self._context = KvContext(model, settings)
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
        generation = Generation(
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
        return self._context.logits()

    def interrupt(self) -> None:
        """End the running generation at once (a prompt) or with its next token."""
        self._context.abort.set()

    def take_notice(self) -> str | None:
        """What the user should know of how it goes, once; now only that the computer is busy."""
        return self._context.busy.take_notice()

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


class Generation(Writing, Iterator[Generated]):
    """A running generation: an iterator over its tokens, each computed when it is asked for."""

    def __init__(
        self,
        context: KvContext,
        model: Model,
        prompt: list[int],
        chain: SamplerChain,
        *,
        seed: int,
        max_tokens: int | None,
        stop_tokens: Collection[int],
        on_prompt: PromptProgress | None,
    ) -> None:
        super().__init__(
            model, prompt, chain, seed=seed, max_tokens=max_tokens, stop_tokens=stop_tokens
        )
        self._context = context
        self._superseded = False
        self._stream = OneReader(self._run(prompt, on_prompt), "this generation")

    def __next__(self) -> Generated:
        try:
            return next(self._stream)
        except StopIteration:
            if self.finish_reason is None:
                self._context.owned.check()
            if self._superseded and self.finish_reason is None:
                raise ModelError(
                    "this generation was ended: its session has begun another one, or was emptied",
                    hint="read it to its end first, or use two sessions",
                ) from None
            raise

    def drive(self, reply: Driver[E]) -> Iterator[E]:
        """The events that a reply makes of the tokens, as they are read."""
        reply.begin(self)
        for token, piece in self:
            yield from reply.feed(token, piece)
            if reply.done:
                break

    def interrupt(self) -> None:
        """End it at once (a prompt) or with its next token; from any thread."""
        if not self._superseded:
            self._context.abort.set()

    def supersede(self) -> None:
        """Stop here, because another one begins: going on with this one is an error."""
        self.close()
        self._superseded = True

    def close(self) -> None:
        """Stop here. A generation that ran to its end has nothing left to close.

        ModelError from within its own `on_prompt`, or while another thread waits for it.
        """
        self._stream.close()
        self._chain.close()

    def _run(
        self, prompt: list[int], on_prompt: PromptProgress | None
    ) -> Generator[Generated, None, None]:
        with self._chain:
            began = time.perf_counter()
            self.reused_tokens = self._context.reuse(prompt)
            going = self._context.compute_prompt(prompt, self.reused_tokens, on_prompt)
            self.prompt_seconds = time.perf_counter() - began
            if going:
                yield from self._loop()
            else:
                self.finish_reason = FinishReason.INTERRUPTED

    def _loop(self) -> Generator[Generated, None, None]:
        context = self._context
        held = context.owned
        clock, aborted = time.perf_counter, context.abort.is_set
        since = clock()
        while True:
            context.check_logits()
            picked = self._pick(context)
            if picked is None:
                break
            self.seconds += clock() - since
            yield picked
            since = clock()
            held.check()  # whoever reads may have closed it
            if aborted():
                self.finish_reason = FinishReason.INTERRUPTED
                break
            if self._at_limit():
                break
            status = context.compute_token(picked.token)
            if status:
                self.finish_reason = _why(status)
                if self.finish_reason is None:
                    context.check(status)
                break
        self.seconds += clock() - since


def _why(status: int) -> FinishReason | None:
    return {ABORTED: FinishReason.INTERRUPTED, FULL: FinishReason.CONTEXT}.get(status)
