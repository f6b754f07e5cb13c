"""Tokens in, tokens out: the decode loop.

Each step is two native calls, decode and sample; nothing here grows with the length of
what was generated.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.llama.context_settings import DEFAULT_SETTINGS, ContextSettings
from qwq_gguf.engine.llama.kv_context import ABORTED, FULL, KvContext, PromptProgress
from qwq_gguf.engine.llama.native_chain import NativeChain
from qwq_gguf.engine.llama.vocabulary import too_long
from qwq_gguf.engine.one_reader import OneReader
from qwq_gguf.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from qwq_gguf.engine.model import Model
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["Generated", "Generation", "PromptProgress", "Session"]


class Generated(NamedTuple):
    """A generated token and the bytes it stands for."""

    token: int
    piece: bytes


class Session:
    """A text in the making. Use from one thread at a time; `interrupt` from any."""

    def __init__(self, model: Model, settings: ContextSettings = DEFAULT_SETTINGS) -> None:
        """`settings` are those of its KV cache."""
        self.model = model
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
        if not prompt:
            raise ModelError("the prompt has no tokens")
        if len(prompt) >= self.context_size:
            raise too_long(f"{len(prompt)} tokens", self.context_size - 1)
        if max_tokens is not None and max_tokens < 1:
            raise ModelError("max_tokens makes no sense", found=max_tokens)
        with self._beginning:  # of two at the same moment one ends the other
            if self._running is not None:
                self._running.supersede()
            self._context.abort.clear()
            self._running = Generation(
                self._context,
                self.model,
                list(prompt),
                NativeChain.of(self.model, chain, seed=seed, prompt=prompt),
                self.context_size if max_tokens is None else max_tokens,
                self.model.eog_tokens.union(stop_tokens),
                on_prompt,
            )
            return self._running

    def logits(self) -> npt.NDArray[np.float32]:
        """The logits from which the last token was picked, one a token of the vocabulary."""
        return self._context.logits()

    def interrupt(self) -> None:
        """End the running generation at once (a prompt) or with its next token."""
        self._context.abort.set()

    def forget(self) -> None:
        """Empty the KV cache; an unfinished generation of this session ends."""
        with self._beginning:
            if self._running is not None:
                self._running.supersede()
            self._context.forget()

    def close(self) -> None:
        """Free the context; may be called twice."""
        self._context.close()


class Generation:
    """A running generation: an iterator over its tokens.

    `finish_reason` is None until it has ended by itself; `end_token` is the token that
    ended it, which is not among those yielded.
    """

    def __init__(
        self,
        context: KvContext,
        model: Model,
        prompt: list[int],
        chain: NativeChain,
        max_tokens: int,
        stop_tokens: frozenset[int],
        on_prompt: PromptProgress | None,
    ) -> None:
        self.prompt_tokens = len(prompt)
        self.reused_tokens = 0
        self.tokens = 0
        self.seconds = 0.0
        self.prompt_seconds = 0.0
        self.finish_reason: FinishReason | None = None
        self.end_token: int | None = None
        self._room = model.context_size - len(prompt)
        self._most = max_tokens
        self._piece = model.piece
        self._context = context
        self._chain = chain
        self._stops = stop_tokens
        self._forced: deque[int] = deque()
        self._look: Callable[[npt.NDArray[np.float32]], None] | None = None
        self._goes_on: Callable[[int], bool] | None = None
        self._superseded = False
        self._stream = OneReader(self._run(prompt, on_prompt), "this generation")

    def __iter__(self) -> Iterator[Generated]:
        return self

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

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens a second of our own time: neither prompt nor consumer count."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def room(self) -> int:
        """The most tokens that it may have, by its limit and by the context."""
        return min(self._most, self._room)

    def expect_thought(self, token: int | None, *, begun: bool) -> None:
        """Before the first token: a thought comes first; see `NativeChain.expect_thought`."""
        self._chain.expect_thought(token, begun=begun)

    def begin_answer(self) -> None:
        """The thought ended with the last token: a grammar for the answer acts from the next."""
        self._chain.begin_answer()

    def force(self, tokens: Sequence[int]) -> None:
        """Let these be the next tokens, as if the model had picked them."""
        self._forced.extend(tokens)

    def forbid(self, tokens: Collection[int]) -> None:
        """Do not pick any of these from now on; `force` may still say them."""
        self._chain.forbid(tokens)

    def bias(self, biases: Mapping[int, float]) -> None:
        """Add these to the raw logits from the next pick on, in the place of those before."""
        self._chain.bias(biases)

    def before_pick(self, look: Callable[[npt.NDArray[np.float32]], None] | None) -> None:
        """Show the raw logits to `look` before each pick; see `Steered`."""
        self._look = look

    def before_stop(self, goes_on: Callable[[int], bool] | None) -> None:
        """Ask whether to go on at a token that would end it; see `Steered`."""
        self._goes_on = goes_on

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
        context, stops, piece = self._context, self._stops, self._piece
        held = context.owned
        sample, clock, aborted = self._chain.sample, time.perf_counter, context.abort.is_set
        since = clock()
        while True:
            context.check_logits()
            if self._look is not None and not self._forced:
                context.show_logits(self._look)
            if self._forced:
                token: int | None = self._next_forced()
            else:
                with held as handle:
                    token = sample(handle)
            if token is None:
                self.finish_reason = FinishReason.STOP
                break
            if token in stops:
                if self._goes_on is not None and self._goes_on(token):
                    continue
                self.end_token = token
                self.finish_reason = FinishReason.STOP
                break
            self.tokens += 1
            self.seconds += clock() - since
            yield Generated(token, piece(token))
            since = clock()
            held.check()  # whoever reads may have closed it
            if aborted():
                self.finish_reason = FinishReason.INTERRUPTED
                break
            if self.tokens >= self._most:
                self.finish_reason = FinishReason.LENGTH
                break
            if self.tokens >= self._room:
                self.finish_reason = FinishReason.CONTEXT
                break
            status = context.compute_token(token)
            if status:
                self.finish_reason = _why(status)
                if self.finish_reason is None:
                    context.check(status)
                break
        self.seconds += clock() - since

    def _next_forced(self) -> int:
        token = self._forced.popleft()
        self._chain.accept(token)
        return token


def _why(status: int) -> FinishReason | None:
    return {ABORTED: FinishReason.INTERRUPTED, FULL: FinishReason.CONTEXT}.get(status)
