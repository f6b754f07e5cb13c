"""Replies in the making, each read in a thread, for a program that waits for many at once.

The engine's readers block, and an event loop must not. A thread a reply costs little: it sleeps
until its engine hands it an event.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, TypeAlias

from qwq_gguf.chat.events import Responded, ResponseEvent

if TYPE_CHECKING:
    from qwq_gguf.chat.events import Response
    from qwq_gguf.engine.responder import Responding

__all__ = ["Item", "Replies"]

# Events that a client may lag behind, before its engine pauses the reply.
_UNREAD = 64

Item: TypeAlias = tuple[int, ResponseEvent | BaseException | None]
"""A choice with its next event, with the error it ended in, or with None at its end."""


class Replies:
    """The choices of one request. Made and used on the event loop; threads do the reading.

    `cancel` frees the places of all within one step of the engine. `answer_now` closes open
    thoughts. `on_response` is called by the threads, `on_end` on the loop, once all have ended.
    """

    def __init__(
        self,
        replies: Sequence[Responding],
        threads: Executor,
        *,
        on_response: Callable[[Response], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._replies = tuple(replies)
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._room = threading.Semaphore(_UNREAD * len(self._replies))
        self._cancelled = False
        self._on_response = on_response
        self._on_end = on_end
        self._left = len(self._replies)
        for index, reply in enumerate(self._replies):
            threads.submit(self._read, index, reply)

    @property
    def cached_tokens(self) -> int:
        """Tokens of the prompt that did not have to be computed, once all has ended."""
        return max((reply.reused_tokens for reply in self._replies), default=0)

    async def next(self) -> Item:
        """What comes next of any of them."""
        item = await self._items.get()
        self._room.release()
        return item

    def waiting(self) -> list[Item]:
        """What has come besides."""
        items: list[Item] = []
        while not self._items.empty():
            items.append(self._items.get_nowait())
            self._room.release()
        return items

    def leave(self) -> None:
        """Cancel them, and let whoever waits for the next item see that."""
        self.cancel()
        self._items.put_nowait((0, None))

    def answer_now(self) -> None:
        """Close the open thoughts with their next tokens."""
        for reply in self._replies:
            reply.answer_now()

    def cancel(self) -> None:
        """Nobody wants them any more; may be called twice."""
        self._cancelled = True
        for reply in self._replies:
            reply.cancel()

    def _read(self, index: int, reply: Responding) -> None:
        last: BaseException | None = None
        try:
            for event in reply:
                if isinstance(event, Responded) and self._on_response is not None:
                    self._on_response(event.response)
                while not self._cancelled and not self._room.acquire(timeout=0.25):
                    pass
                if not self._cancelled:
                    self._tell(self._items.put_nowait, (index, event))
        except BaseException as error:
            last = error
        finally:
            reply.close()
        self._tell(self._ended, (index, last))

    def _ended(self, item: Item) -> None:
        self._items.put_nowait(item)
        self._left -= 1
        if not self._left and self._on_end is not None:
            self._on_end()

    def _tell(self, call: Callable[..., object], *items: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *items)
        except RuntimeError:  # the loop has ended, and nobody waits
            self.cancel()
