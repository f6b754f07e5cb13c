"""A generation of an engine: made on the engine's thread, read on another."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from qwq_gguf.chat.events import FinishReason
from qwq_gguf.engine.one_reader import OneReader
from qwq_gguf.engine.writing import Driver, Generated, Writing

if TYPE_CHECKING:
    from qwq_gguf.engine.batching.text import Text
    from qwq_gguf.engine.llama.kv_context import KvContext, PromptProgress
    from qwq_gguf.engine.model import Model
    from qwq_gguf.sampling.chain import SamplerChain

__all__ = ["Desk", "SharedGeneration"]

E = TypeVar("E")

# What may lie unread before a text has to wait for its reader: seconds of a fast model.
_UNREAD = 64


class _Progress(NamedTuple):
    done: int
    total: int


class _End(NamedTuple):
    error: BaseException | None


class Desk(Protocol):
    """Where generations are handed in; its calls may come from any thread or signal handler."""

    def join(self, generation: SharedGeneration) -> None:
        """Compute it."""

    def go_on(self, generation: SharedGeneration) -> None:
        """Its reader wants more."""

    def leave(self, generation: SharedGeneration) -> None:
        """Its reader does not."""


class SharedGeneration(Writing, Iterator[Generated]):
    """As `Generation`, on one of an engine's sequences.

    Read as tokens it is in step with its reader: a token is picked once it is asked for, so that
    the reader may force and forbid. With `drive` the reply is made on the engine's thread,
    which is what does both then: readers only get events, and nobody waits for them. A reader
    that lags behind finds some of them waiting, and holds up nobody but its own text.
    """

    def __init__(
        self,
        desk: Desk,
        model: Model,
        prompt: Sequence[int],
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
        self.prompt = list(prompt)
        self.text: Text | None = None  # the engine's thread alone knows it
        self.interrupted = False
        self.dropped = False
        self.paused = False
        self._given = 0  # counted by the engine's thread
        self._granted = 1  # counted by the reader
        self._enough = 1  # grants for which an engine that has paused is called
        self._desk = desk
        self._on_prompt = on_prompt
        self._reply: Driver[Any] | None = None
        self._joined = False
        self._ended = False
        self._superseded: BaseException | None = None
        self._made: list[object] = []  # what `hand_over` puts into the outbox
        self._outbox: SimpleQueue[Any] = SimpleQueue()
        self._stream: OneReader[Any] = OneReader(self._read(), "this generation")

    # ------------------------------------------------------------ the reader's side

    def __next__(self) -> Generated:
        self._check()
        return next(self._stream)  # type: ignore[no-any-return]

    def drive(self, reply: Driver[E]) -> Iterator[E]:
        """The events that a reply makes of the tokens, as they are made."""
        self._check()
        reply.begin(self)
        self._reply = reply
        self._granted, self._enough = _UNREAD, _UNREAD // 2
        for events in self._stream:
            yield from events

    def interrupt(self) -> None:
        """End it at once (a prompt) or with its next token; from any thread."""
        self.interrupted = True
        self._desk.leave(self)

    def supersede(self, error: BaseException) -> None:
        """Stop here, because another one begins: going on with this one is that error."""
        self._superseded = error
        self._drop()
        self._outbox.put(_End(error))

    def close(self) -> None:
        """Stop here. A generation that ran to its end has nothing left to close.

        ModelError while another thread waits for it.
        """
        self._drop()
        self._stream.close()

    def _drop(self) -> None:
        self.dropped = True
        if self._joined:
            self._desk.leave(self)
        else:
            self._chain.close()

    def _check(self) -> None:
        if self._superseded is not None and self.finish_reason is None:
            raise self._superseded

    def _read(self) -> Generator[Any, None, None]:
        try:
            self._joined = True
            self._desk.join(self)
            while True:
                item = self._outbox.get()
                if isinstance(item, _End):
                    if item.error is not None:
                        raise item.error
                    return
                if isinstance(item, _Progress):
                    if self._on_prompt is not None:
                        self._on_prompt(*item)
                    continue
                yield item
                self._granted += 1
                if self.paused and self._granted - self._given >= self._enough:
                    self._desk.go_on(self)
        finally:
            self._drop()

    # ------------------------------------------------------------ the engine's side

    @property
    def in_step(self) -> bool:
        """Whether its reader asks for each token."""
        return self._reply is None

    @property
    def wanted(self) -> bool:
        """Whether there is room for another token; else `paused` is set, for its reader to see."""
        if self._given < self._granted:
            self.paused = False
            return True
        self.paused = True
        # It may have been read since, by somebody who saw no pause.
        if self._given < self._granted:
            self.paused = False
        return not self.paused

    def step(self, context: KvContext, index: int) -> int | None:
        """Pick the next token and see what comes of it; None at the end of the text."""
        picked = self._pick(context, index)
        if picked is None:
            return None
        if self._reply is None:
            self._give(picked)
        else:
            events = list(self._reply.feed(*picked))
            if events:
                self._give(events)
            if self._reply.done:
                return None
        return None if self._at_limit() else picked.token

    def tell(self, done: int) -> None:
        """So many tokens of the prompt are computed."""
        if self._on_prompt is not None and self.tokens == 0:
            self._made.append(_Progress(done, self.prompt_tokens))

    def end(self, reason: FinishReason | None, error: BaseException | None = None) -> None:
        """It has ended, for this reason if for none of its own, or by an error."""
        if self._ended:
            return
        self._ended = True
        if self.finish_reason is None and error is None:
            self.finish_reason = reason
        self._chain.close()
        self._made.append(_End(error))
        self.hand_over()

    def hand_over(self) -> None:
        """Let the reader have what was made meanwhile.

        Not at once: a reader that wakes while others' tokens are picked takes turns with the
        engine's thread, at each of its native calls. Later it runs beside the next decode.
        """
        for item in self._made:
            self._outbox.put(item)
        self._made.clear()

    def _give(self, item: object) -> None:
        self._given += 1
        self._made.append(item)
