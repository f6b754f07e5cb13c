"""What stands before every route: who may ask, what browsers are told, what the log says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from qwq_gguf.serve.access import Access
from qwq_gguf.serve.metrics import Metrics
from qwq_gguf.serve.refusal import Refusal
from qwq_gguf.serve.web.refused import refused_response
from qwq_gguf.words import message_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard"]

_METHODS = "GET, POST"
_ALLOWED = "authorization, content-type, x-api-key, anthropic-version, anthropic-beta"
# They hold nothing of anybody's, and a page has to be there before one can type a key.
_OPEN = ("/", "/health", "/favicon.ico")
_MOST_PATH = 60
_SAFE = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
}


class Guard:
    """An ASGI application around another one."""

    def __init__(
        self, app: ASGIApp, access: Access, metrics: Metrics, log: Callable[[str], None]
    ) -> None:
        self._app, self._access, self._metrics, self._log = app, access, metrics, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # a websocket is none of ours
        began = time.monotonic()
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        shared = self._access.shares_with(origin)
        status = 0

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                for name, value in _SAFE.items():
                    out.setdefault(name, value)
                if shared and origin is not None:
                    out["access-control-allow-origin"] = origin
                    out["cross-origin-resource-policy"] = "cross-origin"
                    out.add_vary_header("origin")
            await send(message)

        app: ASGIApp = self._app
        try:
            self._check(scope, headers)
            if scope["method"] == "OPTIONS" and origin is not None:
                app = _preflight(shared)
        except Refusal as refusal:
            app = refused_response(refusal, scope["path"], close=True)
        try:
            await app(scope, receive, told)
        finally:
            # By route: a path of a stranger's choice would make a counter of its own.
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.count("requests_total", path=route, status=str(status))
            path = message_of(scope["path"], _MOST_PATH)
            took = time.monotonic() - began
            self._log(f"{scope['method'][:10]} {path} {status or 'left'} {took:.2f} s")

    def _check(self, scope: Scope, headers: Headers) -> None:
        hosts = headers.getlist("host")
        host = hosts[0] if len(hosts) == 1 else None
        self._access.check_host(host)
        self._access.check_origin(headers.get("origin"), host)
        path = scope["path"]
        if path != "/":  # to which links may lead from anywhere
            self._access.check_site(headers.get("sec-fetch-site"), headers.get("origin"))
        if path in _OPEN or path.startswith("/page/") or scope["method"] == "OPTIONS":
            return
        self._access.check_key(headers.get("authorization"), headers.get("x-api-key"))


def _preflight(shared: bool) -> Response:
    """What a browser asks before a page of another origin may."""
    if not shared:
        return Response(status_code=403)
    return Response(
        status_code=204,
        headers={
            "access-control-allow-methods": _METHODS,
            "access-control-allow-headers": _ALLOWED,
            "access-control-max-age": "600",
        },
    )
