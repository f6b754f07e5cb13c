"""uvicorn's connections with one thing more: a request that stays half is not waited for."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

__all__ = ["connections_with"]


class _Connection(H11Protocol):
    """Closes itself where a head does not come whole in time. Bodies have a time of their own."""

    head_seconds: ClassVar[float]
    _deadline: asyncio.TimerHandle | None = None

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
        self._forget_head()  # until more comes, its own time for idle ones counts

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None until the first head
        return not (cycle is None or cycle.response_complete)

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._too_late)

    def _forget_head(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if not self._answering:
            self.transport.close()


def connections_with(head_seconds: float) -> type[H11Protocol]:
    """A class of connections whose heads have so long."""
    return type("Connection", (_Connection,), {"head_seconds": head_seconds})
