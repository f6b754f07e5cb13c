"""One request answered: from an `Ask` to the bytes that a client gets, or to its going away."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from qwq_gguf.serve.answering.replies import Replies
from qwq_gguf.serve.refusal import Refusal, refusal_of
from qwq_gguf.serve.web.body import until_gone
from qwq_gguf.serve.writing.frames import STILL_HERE, Stream, as_json
from qwq_gguf.serve.writing.parts import Part, Parts, Whole

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from qwq_gguf.serve.ask import Ask

__all__ = ["Exchange", "SseAnswer", "WholeAnswer", "new_id"]

# Seconds of silence after which a stream says that it is still there.
_SILENCE = 15.0


def new_id(kind: str) -> str:
    """An id that nobody can guess: whoever knows it may tell a thought to end."""
    return f"{kind}{secrets.token_hex(12)}"


class Exchange:
    """The replies to one ask, as parts; `left` once its client has gone."""

    def __init__(
        self,
        ask: Ask,
        replies: Replies,
        *,
        call_id: str = "call_",
        log: Callable[[BaseException], None],
    ) -> None:
        self.ask = ask
        self.replies = replies
        self.left = False
        self.log = log
        self._call_id = call_id

    async def parts(self) -> AsyncIterator[list[tuple[int, Part]]]:
        """What has come, as it comes; an empty list where nothing does for a while.

        The error that a choice ended in.
        """
        readers = [
            Parts(
                lambda: new_id(self._call_id),
                one_call=self.ask.one_call,
                as_it_is=self.ask.prompt is not None,
            )
            for _ in range(self.ask.choices)
        ]
        running = self.ask.choices
        while running and not self.left:
            try:
                async with asyncio.timeout(_SILENCE):
                    items = [await self.replies.next()]
            except TimeoutError:
                yield []
                continue
            items += self.replies.waiting()
            made: list[tuple[int, Part]] = []
            for index, event in items:
                if event is None:
                    running -= 1
                elif isinstance(event, BaseException):
                    raise event
                else:
                    made += ((index, part) for part in readers[index].feed(event))
            if made:
                yield made

    def watch(self, receive: Receive) -> asyncio.Task[None]:
        """Look out for the client: once it has gone, the replies are cancelled at once."""
        watching = asyncio.create_task(until_gone(receive))
        watching.add_done_callback(self._leave)
        return watching

    def _leave(self, watching: asyncio.Task[None]) -> None:
        if not watching.cancelled():
            self.left = True
            self.replies.leave()


class SseAnswer(Response):
    """A stream of events. `on_left` is called where the client went away before its end."""

    def __init__(self, exchange: Exchange, stream: Stream, on_left: Callable[[], None]) -> None:
        super().__init__(media_type="text/event-stream")
        self._exchange, self._stream, self._on_left = exchange, stream, on_left
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"  # proxies pass each event on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        exchange = self._exchange
        watching = exchange.watch(receive)

        async def put(frames: Iterable[bytes], *, more: bool = True) -> None:
            body = {"type": "http.response.body", "body": b"".join(frames), "more_body": more}
            await send(body)

        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            await put(self._stream.begin())
            try:
                async for made in exchange.parts():
                    frames = [
                        frame for index, part in made for frame in self._stream.part(index, part)
                    ]
                    await put(frames or [STILL_HERE])
                if not exchange.left:
                    await put(self._stream.end(exchange.replies.cached_tokens), more=False)
                    return
            except Exception as error:
                exchange.log(error)
                await put(self._stream.failed(refusal_of(error)), more=False)
                return
            self._on_left()
        finally:
            watching.cancel()
            exchange.replies.cancel()


class WholeAnswer(Response):
    """All at once: `made` makes the object of the replies and the tokens that were reused."""

    def __init__(
        self,
        exchange: Exchange,
        made: Callable[[list[Whole], int], dict[str, Any]],
        refused: Callable[[Refusal], Response],
        on_left: Callable[[], None],
    ) -> None:
        super().__init__()
        self._exchange, self._made, self._refused = exchange, made, refused
        self._on_left = on_left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        exchange = self._exchange
        watching = exchange.watch(receive)
        replies = [Whole() for _ in range(exchange.ask.choices)]
        response: Response
        try:
            async for made in exchange.parts():
                for index, part in made:
                    replies[index].add(part)
            if exchange.left:
                self._on_left()
                return
            data = self._made(replies, exchange.replies.cached_tokens)
            response = Response(as_json(data), media_type="application/json")
        except Exception as error:
            exchange.log(error)
            response = self._refused(refusal_of(error))
        finally:
            watching.cancel()
            exchange.replies.cancel()
        response.headers["cache-control"] = "no-store"
        await response(scope, receive, send)
