"""A request's body: all of it, within bounds of size and time; and whether its client is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qwq_gguf.serve.refusal import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive

    from qwq_gguf.serve.limits import RequestLimits

__all__ = ["body_of", "until_gone"]


async def body_of(request: Request, limits: RequestLimits) -> bytes:
    """A request's body. Refusal: too large, too slow."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > limits.body):
        raise _too_large(limits)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limits.body:
                    raise _too_large(limits)
                chunks.append(chunk)
    except TimeoutError:
        raise Refusal("the body did not come in time", status=408) from None
    return b"".join(chunks)


async def until_gone(receive: Receive) -> None:
    """Until the client has gone; its body is read already."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _too_large(limits: RequestLimits) -> Refusal:
    return Refusal(f"a body has at most {limits.body:,} bytes", status=413)
