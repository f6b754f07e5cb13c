"""Tokens in, tokens out: one context with its KV cache and the decode loop.

Each step is two native calls, decode and sample; nothing here grows with the length of
what was generated. What the cache holds is mirrored as a list of tokens, so that the
next prompt is computed only from where it differs.
"""

from __future__ import annotations

import ctypes
import time
import weakref
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.errors import ModelError, PromptTooLongError
from qwq_gguf.runtime.abort import AbortFlag
from qwq_gguf.runtime.aside import run_aside
from qwq_gguf.runtime.native_chain import NativeChain

if TYPE_CHECKING:
    from qwq_gguf.runtime.model import Model
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["Generated", "Generation", "PromptProgress", "Session"]

# Tokens computed at once: as many as keep a card busy, or as few as show progress on a
# processor, where larger batches gain nothing.
_GPU_BATCH = 512
_CPU_BATCH = 128


class Generated(NamedTuple):
    """A generated token and the bytes it stands for."""

    token: int
    piece: bytes


# Called with (tokens done, tokens to do) while a prompt is computed.
PromptProgress = Callable[[int, int], None]


class Session:
    """A context of a model. Use from one thread at a time; `interrupt` from any."""

    def __init__(self, model: Model) -> None:
        api = model.library.api
        self.model = model
        self._api: Any = api
        self._library = model.library
        self._batch_size = _GPU_BATCH if model.gpu_layers else _CPU_BATCH
        self._abort = AbortFlag(api)
        params = api.llama_context_default_params()
        params.n_ctx = model.context_size
        params.n_batch = params.n_ubatch = self._batch_size
        params.n_threads = params.n_threads_batch = model.threads
        params.abort_callback = self._abort.callback
        params.abort_callback_data = self._abort.data
        params.no_perf = True
        model.library.log.clear()
        context: int | None = api.llama_init_from_model(model.handle, params)
        if not context:
            raise ModelError(
                "there is no room for a context of this size",
                path=model.path,
                found=model.library.log.reason(),
                hint=f"try a smaller one: -c {max(512, model.context_size // 2)}",
            )
        self._context: int | None = context
        # The model must outlive its contexts, so the finalizer holds it.
        self._free = weakref.finalize(self, _free_context, api, context, model, self._abort)
        self._memory = api.llama_get_memory(context)
        self._cached: list[int] = []
        self._step = (ctypes.c_int32 * 1)()
        self._step_batch = api.llama_batch_get_one(self._step, 1)
        model.adopt(self)

    @property
    def context_size(self) -> int:
        """Tokens that prompt and generation may have together."""
        return self.model.context_size

    @property
    def cached_tokens(self) -> int:
        """Tokens in the KV cache."""
        return len(self._cached)

    def generate(
        self,
        prompt: Sequence[int],
        chain: SamplerChain,
        *,
        seed: int,
        max_tokens: int | None = None,
        stop_tokens: Collection[int] = (),
        logit_bias: Mapping[int, float] | None = None,
        on_prompt: PromptProgress | None = None,
    ) -> Generation:
        """Continue a prompt.

        `seed` is 0 to 2**32 - 2. Generation ends at a token that ends a text, at one of
        `stop_tokens`, after `max_tokens`, when the context is full, or when interrupted.
        PromptTooLongError, before anything is computed, when prompt and one token don't
        fit.
        """
        self._live_context()
        if not prompt:
            raise ModelError("the prompt has no tokens")
        if len(prompt) >= self.context_size:
            raise PromptTooLongError(
                "the prompt does not fit the context",
                found=f"{len(prompt)} tokens",
                expected=f"at most {self.context_size - 1}",
                hint="shorten it, or give it more room with -c",
            )
        if max_tokens is not None and max_tokens < 1:
            raise ModelError("max_tokens makes no sense", found=max_tokens)
        self._abort.clear()
        return Generation(
            self,
            list(prompt),
            NativeChain.of(self.model, chain, seed=seed, prompt=prompt, logit_bias=logit_bias),
            self.context_size if max_tokens is None else max_tokens,
            self.model.eog_tokens.union(stop_tokens),
            on_prompt,
        )

    def interrupt(self) -> None:
        """End the running generation at once (a prompt) or with its next token."""
        self._abort.set()

    def forget(self) -> None:
        """Empty the KV cache."""
        self._cached.clear()
        if self._context is not None:
            self._api.llama_memory_clear(self._memory, False)

    def close(self) -> None:
        """Free the context; may be called twice."""
        self._context = None
        self._cached.clear()
        self._free()

    def _live_context(self) -> int:
        if self._context is None:
            raise ModelError("the session is closed", path=self.model.path)
        return self._context

    def _reuse(self, prompt: list[int]) -> int:
        """Keep the cache as far as it agrees with the prompt; how many tokens that is.

        At least the last token is computed again, as its logits are needed.
        """
        keep = 0
        for old, new in zip(self._cached, prompt[:-1], strict=False):
            if old != new:
                break
            keep += 1
        # The mirror first: if an exception strikes in between, it may know too little of the
        # cache, but not too much.
        del self._cached[keep:]
        if not self._api.llama_memory_seq_rm(self._memory, 0, keep, -1):
            # Recurrent states cannot be cut back to a position.
            self.forget()
            keep = 0
        return keep

    def _compute_prompt(self, prompt: list[int], start: int, report: PromptProgress | None) -> bool:
        """Decode the prompt from `start`; False if it was interrupted."""
        total = len(prompt)
        decode, context = self._api.llama_decode, self._context
        for first in range(start, total, self._batch_size):
            chunk = prompt[first : first + self._batch_size]
            tokens = (ctypes.c_int32 * len(chunk))(*chunk)
            batch = self._api.llama_batch_get_one(tokens, len(chunk))
            status = run_aside(partial(decode, context, batch), self._abort.set)
            if status == 2 or self._abort.is_set():
                return False
            self._check(status)
            self._cached += chunk
            if report is not None:
                report(first + len(chunk), total)
        return True

    def _compute_token(self, token: int) -> int:
        """Decode one token; llama_decode's status, 0 for success, 1 for a full cache."""
        self._step[0] = token
        status: int = self._api.llama_decode(self._context, self._step_batch)
        if status == 0:
            self._cached.append(token)
        return status

    def _check(self, status: int) -> None:
        if status != 0:
            self.forget()
            raise ModelError(
                "llama.cpp could not compute this prompt",
                path=self.model.path,
                found=self._library.log.reason() or f"llama_decode: {status}",
            )

    def _check_logits(self) -> None:
        """Refuse numbers that no sampler can handle, some would crash on.

        One NaN in the network makes every logit NaN, so one is enough to look at.
        """
        logits = self._api.llama_get_logits_ith(self._context, -1)
        if not logits or logits[0] != logits[0]:
            self.forget()
            raise ModelError(
                "the model computes something that is not a number",
                path=self.model.path,
                hint="its weights are damaged: get or make the file again",
            )


class Generation:
    """A running generation: iterate over it once.

    `finish_reason` is None until it has ended; `end_token` is the token that ended it,
    which is not among those yielded.
    """

    def __init__(
        self,
        session: Session,
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
        self._stream = self._run(session, prompt, chain, max_tokens, stop_tokens, on_prompt)

    def __iter__(self) -> Iterator[Generated]:
        return self._stream

    @property
    def tokens_per_second(self) -> float:
        """Generated tokens a second of our own time: neither prompt nor consumer count."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    def close(self) -> None:
        """Stop here and free the sampler. An iteration that ran to its end did that."""
        self._stream.close()

    def _run(
        self,
        session: Session,
        prompt: list[int],
        chain: NativeChain,
        max_tokens: int,
        stop_tokens: frozenset[int],
        on_prompt: PromptProgress | None,
    ) -> Generator[Generated, None, None]:
        with chain:
            began = time.perf_counter()
            self.reused_tokens = session._reuse(prompt)
            going = session._compute_prompt(prompt, self.reused_tokens, on_prompt)
            self.prompt_seconds = time.perf_counter() - began
            if not going:
                self.finish_reason = FinishReason.INTERRUPTED
                return
            yield from self._loop(session, chain, max_tokens, stop_tokens)

    def _loop(
        self,
        session: Session,
        chain: NativeChain,
        max_tokens: int,
        stop_tokens: frozenset[int],
    ) -> Iterator[Generated]:
        room = session.context_size - self.prompt_tokens
        piece, sample, clock = session.model.piece, chain.sample, time.perf_counter
        compute, check, stopped = session._compute_token, session._check_logits, session._abort
        context = session._live_context()
        since = clock()
        while True:
            check()
            token = sample(context)
            if token in stop_tokens:
                self.end_token = token
                self.finish_reason = FinishReason.STOP
                break
            self.tokens += 1
            self.seconds += clock() - since
            yield Generated(token, piece(token))
            since = clock()
            session._live_context()
            if stopped.is_set():
                self.finish_reason = FinishReason.INTERRUPTED
                break
            if self.tokens >= max_tokens:
                self.finish_reason = FinishReason.LENGTH
                break
            if self.tokens >= room:
                self.finish_reason = FinishReason.CONTEXT
                break
            status = compute(token)
            if status == 2:
                self.finish_reason = FinishReason.INTERRUPTED
                break
            if status == 1:
                self.finish_reason = FinishReason.CONTEXT
                break
            session._check(status)
        self.seconds += clock() - since


def _free_context(api: Any, context: int, _model: Model, _abort: AbortFlag) -> None:
    api.llama_free(context)
