"""One text of a session: the decode loop.

Each step is two native calls, decode and sample; nothing here grows with the length of
what was generated.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Iterator
from typing import TYPE_CHECKING, TypeVar

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.llama.kv_context import ABORTED, FULL, KvContext, PromptProgress
from qwq_gguf.engine.one_reader import OneReader
from qwq_gguf.engine.writing import Driver, Generated, Writing
from qwq_gguf.errors import ModelError

if TYPE_CHECKING:
    from qwq_gguf.engine.model import Model
    from qwq_gguf.sampling.chain import SamplerChain

E = TypeVar("E")

__all__ = ["Generation", "why"]


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
        self.place = -1
        """Where the logits of the last pick are in the batch that was computed last."""
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
            going = self._read(prompt, on_prompt)
            self.prompt_seconds = time.perf_counter() - began
            if going:
                yield from self._loop()
            else:
                self.finish_reason = FinishReason.INTERRUPTED

    def _read(self, prompt: list[int], on_prompt: PromptProgress | None) -> bool:
        """Compute the prompt; False if that was interrupted."""
        self.reused_tokens = self._context.reuse(prompt)
        return self._context.compute_prompt(prompt, self.reused_tokens, on_prompt)

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
                self.finish_reason = why(status)
                if self.finish_reason is None:
                    context.check(status)
                break
        self.seconds += clock() - since


def why(status: int) -> FinishReason | None:
    """Why a text ends where llama_decode gave this."""
    return {ABORTED: FinishReason.INTERRUPTED, FULL: FinishReason.CONTEXT}.get(status)
