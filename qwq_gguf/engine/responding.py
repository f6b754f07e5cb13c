"""A response in the making: read, cancelled, or asked for its answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing

from qwq_gguf.chat.events import FinishReason, ResponseEvent
from qwq_gguf.engine.one_reader import OneReader
from qwq_gguf.engine.protocols import Generating
from qwq_gguf.engine.replies import ReplyDriver
from qwq_gguf.errors import ModelError

__all__ = ["Responding"]


class Responding(Iterator[ResponseEvent]):
    """A response in the making: its deltas and notes, then `Responded`.

    Read it from one thread; `cancel` and `answer_now` may come from any, or from a signal
    handler. ModelError from whatever is read after its session began another one, or was closed.
    """

    def __init__(self, begin: Callable[[], Generating], driver: ReplyDriver) -> None:
        """Made by `Responder.respond`. `begin` is called when the first event is read."""
        self._begin = begin
        self._driver = driver
        self._cancelled = False
        self._generation: Generating | None = None
        #: Tokens of the prompt that were computed before; known at the end.
        self.reused_tokens = 0
        self._events = OneReader(self._run(), "this response")

    def __next__(self) -> ResponseEvent:
        return next(self._events)

    def cancel(self) -> None:
        """End it with its next token, a prompt's computation at once. It is still read to its end.

        Before it has begun: then it ends as it begins. After its end: nothing.
        """
        self._cancelled = True
        if self._generation is not None:
            self._generation.interrupt()

    def answer_now(self) -> None:
        """Close the open thought with its next token, in the governor's last words, and answer.

        Nothing once the answer has begun. From any thread, or a signal handler.
        """
        self._driver.answer_now()

    def close(self) -> None:
        """Drop what is not read yet; may be called twice."""
        self._events.close()

    def _run(self) -> Generator[ResponseEvent, None, None]:
        generation = self._begin()
        try:
            self._generation = generation
            if self._cancelled:  # before there was anything to hear of it
                generation.interrupt()
            with closing(generation):
                yield from generation.drive(self._driver)
        finally:
            self._generation = None
            self.reused_tokens = generation.reused_tokens
        reason = FinishReason.STOP if self._driver.done else generation.finish_reason
        if reason is None:
            raise ModelError(
                "this reply was ended from elsewhere: its session began another one, or was closed",
                hint="read a reply to its end before the next question, or give each "
                "conversation a session of its own",
            )
        yield from self._driver.finish(reason)
