"""uvicorn's connections, for which nobody is waited for without end."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from qwq_gguf.serve.limits import RequestLimits

__all__ = ["connections_with"]


class _Connection(H11Protocol):
    """Closes itself where a head does not come whole in time, or where what was asked for is not
    taken. Bodies have a time of their own (web/body.py), idle connections uvicorn's.
    """

    limits: ClassVar[RequestLimits]
    _head: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering:
            self._forget_head()
        else:
            self._await_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._forget_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking = self.loop.call_later(self.limits.send_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._forget_taking()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        self._forget_taking()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None until the first head
        return not (cycle is None or cycle.response_complete)

    def _await_head(self) -> None:
        if self._head is None:
            self._head = self.loop.call_later(self.limits.head_seconds, self._too_late)

    def _forget_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _forget_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _too_late(self) -> None:
        self._head = None
        if not self._answering:
            self.transport.close()


def connections_with(limits: RequestLimits) -> type[H11Protocol]:
    """A class of connections that wait as long as these limits say."""
    return type("Connection", (_Connection,), {"limits": limits})
