"""Servers that `conformance` asks: what they say of themselves, damaged; and not quite HTTP."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from qwq_gguf.conformance import advice, ask_server, compare
from qwq_gguf.conformance.http import Client
from qwq_gguf.conformance.llama_server import FIELDS
from qwq_gguf.errors import QwqGgufError
from qwq_gguf.profiles import load_profile

__all__ = ["CLASS", "trials"]

CLASS = "servers"

_KEY = "sk-secret"
_PARAMS: dict[str, Any] = dict.fromkeys(FIELDS, 0.5) | {
    "top_k": 40,
    "dry_sequence_breakers": ["\n", ":"],
    "samplers": ["top_k", "top_p", "temperature"],
    "grammar": "",
    "logit_bias": [{"token": 5, "bias": -1.0}, {"token": 6, "bias": None}],
}
_MODELS = {"data": [{"id": "a", "max_model_len": 4096, "meta": {"n_ctx_train": 32768}}]}
_KINDS: tuple[dict[str, Any], ...] = (
    {
        "/props": {"default_generation_settings": {"params": _PARAMS, "n_ctx": 4096}},
        "/completion": {"generation_settings": _PARAMS},
        "/v1/models": _MODELS,
    },
    {
        "/api/tags": {"models": [{"name": "qwq"}]},
        "/api/show": {
            "parameters": 'temperature 0.6\ntop_k 40\nnum_ctx 4096\nstop "<|im_end|>"',
            "model_info": {
                "qwen2.context_length": 32768,
                "general.sampling.sequence": "top_k;top_p;temperature",
            },
        },
    },
    {"/v1/models": _MODELS},
)
_JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 2**63, 10**400, -(10**400), 0.5, 1e300, -1e300, 1e-320,
    float("nan"), float("inf"), "", "x", "\x1b[2J", "\u202e", "\ud800", "a" * 100_000, "9" * 5000,
    [], {}, [[]], [None], [[[[1]]]], {"a": {}}, ["\x1b"] * 100, "top_k 1e300\nnum_ctx nan\nstop",
    "temperature\ttop_k;;;", ";".join(["top_k"] * 500), {"": ""},
)  # fmt: skip


def trials(seed: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Each asks a server as `conformance` does, and compares with a profile."""
    rng = random.Random(seed)
    bench = _Bench()
    for number in count():
        yield f"server {number}", partial(bench.run, rng.randrange(1 << 62))


class _Bench:
    """A server, made when the first trial runs."""

    def __init__(self) -> None:
        self._url: str | None = None
        self._routes: dict[str, Any] = {}

    def run(self, seed: int) -> None:
        rng = random.Random(seed)
        self._routes.clear()
        self._routes |= _routes(rng)
        client = Client(self._running(), api_key=_KEY, timeout=2.0, patience=1.0)
        model = rng.choice((None, None, "a", "b\x1b"))
        try:
            applied = ask_server(client, model=model)
        except QwqGgufError as error:
            said = str(error)
            assert _KEY not in said, "the key is shown"
            raise
        rows = compare(load_profile(rng.choice(("qwq", "llama-cpp"))), applied)
        advice(rows, applied.server)
        json.dumps([row.applied for row in rows], ensure_ascii=False).encode()

    def _running(self) -> str:
        if self._url is None:
            routes = self._routes

            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.rfile.read(int(self.headers.get("Content-Length") or 0))
                    with suppress(OSError):
                        self.wfile.write(_answer(routes.get(self.path.split("?")[0])))

                do_POST = do_GET

                def log_message(self, *_: object) -> None:
                    pass

            server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            self._url = f"http://127.0.0.1:{server.server_address[1]}"
        return self._url


def _answer(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if value is None:
        return b"HTTP/1.0 404 No\r\n\r\n"
    body = json.dumps(value).encode()
    return b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _routes(rng: random.Random) -> dict[str, Any]:
    routes = deepcopy(rng.choice(_KINDS))
    for _ in range(rng.choice((1, 1, 2, 5))):
        path = rng.choice(sorted(routes))
        if isinstance(routes[path], bytes):
            continue
        kind = rng.randrange(8)
        if kind == 0:
            routes[path] = rng.choice(_JUNK)
        elif kind == 1:
            routes[path] = _damaged_bytes(_answer(routes[path]), rng)
        elif kind == 2:
            routes[path] = b"HTTP/1.0 200 OK\r\n\r\n" + _body(rng)
        else:
            _damage(routes[path], rng)
    return routes


def _damage(value: Any, rng: random.Random) -> None:
    """Put something else in some place within a value, or nothing."""
    holder, key = None, None
    while isinstance(value, (dict, list)) and value:
        holder = value
        key = rng.choice(sorted(value)) if isinstance(value, dict) else rng.randrange(len(value))
        value = value[key]
        if rng.random() < 0.25:
            break
    if isinstance(holder, (dict, list)):
        if rng.random() < 0.15:
            del holder[key]  # type: ignore[arg-type]
        else:
            holder[key] = deepcopy(rng.choice(_JUNK))  # type: ignore[index]


def _body(rng: random.Random) -> bytes:
    return rng.choice(
        (
            b"", b"[" * 200_000, b'{"a":' * 100_000, b'{"a":0},' * 500_000, b'{"x":1e999}',
            b"\xff\xfe", b'{"a":"\\ud800"}', b"9" * 6000, b" " * (5 << 20), b"<html>",
            b'{"models":[' + b'{"a":0},' * 400_000 + b"0]}",
        )
    )  # fmt: skip


def _damaged_bytes(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    pieces = (
        b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\0", b"\xff", b"Content-Length: -1\r\n",
        b"Transfer-Encoding: chunked\r\n", b"Location: /x\r\n", b"200 302", b"9" * 30, b"[", b"\\u",
    )  # fmt: skip
    for _ in range(rng.choice((1, 1, 2, 6))):
        at = rng.randrange(min(len(damaged), rng.choice((40, 10**6))) + 1)
        damaged[at : at + rng.choice((0, 0, 1, 4))] = rng.choice(pieces) * rng.choice((1, 1, 200))
    return bytes(damaged)
