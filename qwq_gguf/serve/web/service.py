"""What all routes share: the models, the replies in the making, how many there may be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from qwq_gguf.serve.answering.replies import Replies
from qwq_gguf.serve.answering.resident import Resident
from qwq_gguf.serve.answering.shelf import Shelf
from qwq_gguf.serve.ask import Ask
from qwq_gguf.serve.limits import LIMITS, RequestLimits
from qwq_gguf.serve.metrics import Metrics
from qwq_gguf.serve.refusal import Refusal, refusal_of
from qwq_gguf.serve.web.exchange import Exchange
from qwq_gguf.words import message_of

__all__ = ["Service"]

T = TypeVar("T")

# Prompts that are rendered and read at once; it is work for processors.
_READERS = 2


class Service:
    """For one event loop. `sequences` texts are in the making at once, `waiting` ones may wait."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        sequences: int,
        waiting: int,
        limits: RequestLimits = LIMITS,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.shelf = shelf
        self.limits = limits
        self.metrics = Metrics()
        self.log = log
        self.stopping = False
        self.began = int(time.time())
        self.sequences = sequences
        self._most = sequences + waiting
        self._open = 0
        self._running: dict[str, Replies] = {}
        self._threads = ThreadPoolExecutor(self._most + 1, "qwq-gguf reply")
        self._readers = ThreadPoolExecutor(_READERS, "qwq-gguf prompt")

    async def begin(self, ask: Ask, name: str, *, call_id: str = "call_") -> Exchange:
        """Begin to answer; `name` is the id under which it can be told to answer now.

        Refusal, at once, where too many wait already; what is wrong with the request.
        """
        with_room = self._admit(ask.choices)
        try:
            resident = await self.shelf.take(ask.model)
        except BaseException:
            with_room()
            raise

        def ended() -> None:
            self._running.pop(name, None)
            self.shelf.give_back()
            with_room()

        try:
            begun = await self.in_thread(lambda: resident.respond(ask))
        except BaseException:
            ended()
            raise
        replies = Replies(begun, self._threads, on_response=self.metrics.response, on_end=ended)
        self._running[name] = replies
        return Exchange(ask, replies, call_id=call_id, log=self.failed)

    async def ask(self, model: str | None, question: Callable[[Resident], T]) -> T:
        """What a model's file or tokenizer tells, without a reply."""
        async with self.shelf.lend(model) as resident:
            return await self.in_thread(lambda: question(resident))

    def answer_now(self, name: str) -> bool:
        """Close the open thoughts of a running reply; False where there is none."""
        replies = self._running.get(name)
        if replies is not None:
            replies.answer_now()
        return replies is not None

    def failed(self, error: BaseException) -> None:
        """Tell the log what a client is not told."""
        if refusal_of(error).status >= 500:
            self.log(f"{type(error).__name__}: {message_of(str(error), 400)}")

    def left(self) -> None:
        """A client went away before its answer was complete."""
        self.metrics.count("disconnects_total")

    @property
    def status(self) -> str:
        """Whether what is asked can be answered: ok, else why not."""
        if self.stopping:
            return "stopping"
        resident = self.shelf.current
        return "worker lost" if resident is not None and resident.model.lines.lost else "ok"

    def gauges(self) -> dict[str, int]:
        """What is going on now."""
        resident = self.shelf.current
        busy = 0 if resident is None else resident.engine.running
        return {
            "slots": self.sequences,
            "slots_busy": busy,
            "queue": max(0, self._open - busy),
            "context_tokens": 0 if resident is None else resident.engine.used_tokens,
            "model_loaded": int(resident is not None),
        }

    async def stop(self, seconds: float) -> None:
        """Take nothing new; give what runs so long to end, then let it end in words."""
        self.stopping = True
        resident = self.shelf.current
        if resident is not None:
            await asyncio.to_thread(resident.engine.drain, seconds)

    async def close(self) -> None:
        """Free all."""
        self.stopping = True
        for replies in list(self._running.values()):
            replies.cancel()
        await self.shelf.close()
        self._readers.shutdown(wait=False)
        self._threads.shutdown(wait=False)

    async def in_thread(self, call: Callable[[], T]) -> T:
        """What this gives, while the event loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    def _admit(self, choices: int) -> Callable[[], None]:
        if self.stopping:
            raise Refusal("the server is about to stop", status=503, retry_after=10)
        if self._open + choices > self._most:
            raise Refusal(
                "too many wait for an answer already: ask again later",
                status=429,
                code="rate_limit_exceeded",
                retry_after=1 + self._open // max(1, self.sequences),
            )
        self._open += choices

        def free() -> None:
            self._open -= choices

        return free
