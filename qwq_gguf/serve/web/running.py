"""The server on a socket, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from qwq_gguf.errors import UsageError
from qwq_gguf.serve.access import Access
from qwq_gguf.serve.web.app import make_app
from qwq_gguf.serve.web.connections import connections_with
from qwq_gguf.serve.web.service import Service

__all__ = ["HttpServer", "listen"]

_MOST_CONNECTIONS = 1024
_IDLE_SECONDS = 75
_BACKLOG = 256
_SEND_BUFFER = 128 << 10  # bytes; what lies there is for clients that may never take it
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_MORE = 10.0  # seconds for the last words of what was interrupted


def listen(host: str, port: int) -> socket.socket:
    """A socket that is listened on; port 0 is any free one. UsageError where it cannot be had."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
    except OSError as error:
        raise UsageError(f"--host {host} cannot be listened on", found=error.strerror) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise UsageError(
            f"port {port} of {host} cannot be had",
            found=error.strerror,
            hint="another one: --port 8081, or --port 0 for any that is free",
        ) from None
    return sock


class HttpServer(uvicorn.Server):
    """`serve_on` answers until SIGINT or SIGTERM, or `stop`; then what runs may end."""

    def __init__(self, service: Service, access: Access, *, grace: float = 30.0) -> None:
        """What still runs `grace` seconds after the stop is ended in words."""
        app: ASGIApp = make_app(service, access)
        super().__init__(
            uvicorn.Config(
                app,
                http=connections_with(service.limits),
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=int(grace + _MORE),
            )
        )
        self._service = service
        self._grace = grace

    async def serve_on(self, sock: socket.socket, ready: Callable[[], None]) -> None:
        """Answer on this socket; `ready` is called once it does."""
        watching = asyncio.create_task(self._service.shelf.watch())
        telling = asyncio.create_task(self._tell(ready))
        try:
            await self.serve(sockets=[sock])
        finally:
            watching.cancel()
            telling.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's own, which sends the signal again at the end: to obey one is no fault."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self) -> None:
        """End as on a signal; from any thread."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new, let what runs end, then close."""
        draining = asyncio.create_task(self._service.stop(self._grace))
        await super().shutdown(sockets)
        await draining

    async def _tell(self, ready: Callable[[], None]) -> None:
        while not self.started:
            await asyncio.sleep(0.01)
        ready()
