"""The models that a server knows by name, of which one is loaded at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from qwq_gguf.serve.answering.resident import Resident
from qwq_gguf.serve.refusal import Refusal

__all__ = ["Shelf"]

_MOST_WAITING = 256


class Shelf:
    """Lends the model of a name, loading it if need be. For one event loop.

    With one model every name means that one, as clients insist on sending some. Of several a
    name has to be one of `names`; whoever asks for another one waits until the loaded model
    has nothing to do any more, and those behind wait for it in turn.
    """

    def __init__(
        self,
        names: Mapping[str, Path],
        load: Callable[[str, Path], Resident],
        *,
        first: Resident | None = None,
        default: str | None = None,
        idle: float | None = None,
    ) -> None:
        """`load` blocks, and runs in a thread. One that nobody asked for `idle` seconds goes."""
        self.names = dict(names)
        self._load = load
        self._default = default or next(iter(self.names), None)
        self._idle = idle
        self._turn = asyncio.Lock()
        self._unused = asyncio.Event()
        self._unused.set()
        self._waiting = 0
        self._users = 0
        self._last = time.monotonic()
        self.current = first

    def name_of(self, asked: str | None) -> str:
        """The name of the model that this one means. Refusal for none."""
        if asked in self.names:
            return str(asked)
        if (asked is None or len(self.names) == 1) and self._default is not None:
            return self._default
        raise Refusal(
            f"there is no model {str(asked)[:100]} here; /v1/models lists those there are",
            status=404,
            param="model",
            code="model_not_found",
        )

    @asynccontextmanager
    async def lend(self, asked: str | None) -> AsyncIterator[Resident]:
        """The model, which stays loaded meanwhile. Refusal for an unknown one, or if too many
        wait for another one; what a load may raise.
        """
        resident = await self.take(asked)
        try:
            yield resident
        finally:
            self.give_back()

    async def take(self, asked: str | None) -> Resident:
        """The same for whoever calls `give_back` once it has no need of it any more."""
        name = self.name_of(asked)
        if self._waiting >= _MOST_WAITING:
            raise Refusal("too many wait for a model", status=429, retry_after=5)
        self._waiting += 1
        try:
            async with self._turn:
                if self.current is None or self.current.name != name:
                    await self._unused.wait()
                    await self._replace(name)
                assert self.current is not None
                self._users += 1
                self._unused.clear()
                return self.current
        finally:
            self._waiting -= 1

    def give_back(self) -> None:
        """One user less."""
        self._users -= 1
        self._last = time.monotonic()
        if not self._users:
            self._unused.set()

    async def watch(self) -> None:
        """Unload what is idle; for ever, so cancel it."""
        if self._idle is None:
            return
        while True:
            await asyncio.sleep(min(5.0, max(0.05, self._idle / 4)))
            async with self._turn:
                if not self._users and time.monotonic() - self._last >= self._idle:
                    await self._unload()

    async def close(self) -> None:
        """Free what is loaded."""
        await self._unload()

    async def _replace(self, name: str) -> None:
        await self._unload()
        self.current = await asyncio.to_thread(self._load, name, self.names[name])

    async def _unload(self) -> None:
        current, self.current = self.current, None
        if current is not None:
            await asyncio.to_thread(current.close)
