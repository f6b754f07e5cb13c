"""A stand-in for the server, as much as the page and the examples ask of one.

It says what a test wants, streams as OpenAI does with the thought in `reasoning_content`, and waits
where a test says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["Break", "Failure", "StandIn", "Thought", "Wait", "running"]


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of a thought; a plain text is one of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Until the test calls `go_on`, or the client has the thought closed."""


@dataclass(frozen=True, slots=True)
class Break:
    """The connection ends without a word."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The reply fails in the middle, in words."""

    message: str


Piece = str | Thought | Wait | Break | Failure

SETTINGS = {
    "model": "Stand-In",
    "profile": "qwq",
    "context": 4096,
    "thought_budget": 100,
    "settings": {"temperature": 0.6, "top_k": 40, "top_p": 0.95},
    "thinks": True,
    "tools": [],
}
PATIENCE = 20.0

PAGE = Path(__file__).parents[2] / "qwq_gguf" / "serve" / "page"
KINDS = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
# The page has to live with what the server says of it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass
class StandIn:
    """What it says, and what it was asked."""

    script: Sequence[Piece] = ("Hello.",)
    key: str | None = None
    refusal: tuple[int, str] | None = None
    models: Sequence[str] = ("Stand-In",)
    settings: dict[str, Any] = field(default_factory=lambda: dict(SETTINGS))
    requests: list[dict[str, Any]] = field(default_factory=list)
    controls: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    address: str = ""
    left: int = 0
    _gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def go_on(self) -> None:
        """Let what waits go on."""
        self._gate.release()

    def stream(self) -> Iterator[dict[str, Any] | None]:
        """The chunks of a reply; None for a connection that breaks."""
        thought = answer = 0
        known = len(self.controls)
        for piece in self.script:
            match piece:
                case Thought(text):
                    if len(self.controls) > known:
                        continue
                    thought += 1
                    yield _chunk({"reasoning_content": text})
                case Wait():
                    if len(self.controls) == known:
                        self._gate.acquire(timeout=PATIENCE)
                case Break():
                    yield None
                    return
                case Failure(message):
                    yield {"error": {"message": message, "type": "server_error", "code": 500}}
                    return
                case str():
                    answer += 1
                    yield _chunk({"content": piece})
        asked = len(self.controls) > known
        ended = ("asked" if asked else "closed") if thought else "none"
        yield _chunk({}, finish="stop") | {"qwq_gguf": {"thought_ended": ended}}
        yield _chunk() | {
            "choices": [],
            "usage": {
                "prompt_tokens": 20,
                "completion_tokens": thought + answer,
                "total_tokens": 20 + thought + answer,
                "completion_tokens_details": {"reasoning_tokens": thought},
            },
        }


def _chunk(delta: dict[str, Any] | None = None, *, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "Stand-In",
        "choices": [choice],
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and a body, each at once
    stand_in: StandIn

    def log_message(self, format: str, *args: Any) -> None:  # silent
        pass

    def do_GET(self) -> None:
        self.stand_in.paths.append(self.path)
        path, _, query = self.path.partition("?")
        files = {f"/page/{file.name}": file for file in PAGE.iterdir() if file.suffix in KINDS}
        file = (files | {"/": PAGE / "index.html"}).get(path)
        if file is not None:
            self._send(200, f"{KINDS[file.suffix]}; charset=utf-8", file.read_bytes())
        elif path not in ("/settings", "/v1/models"):
            self._refuse(404, "There is nothing here.")
        elif not self._allowed():
            pass
        elif path == "/settings":
            model = query.removeprefix("model=") or self.stand_in.models[0]
            self._send_json(200, self.stand_in.settings | {"model": model})
        else:
            listed = [{"id": name, "object": "model"} for name in self.stand_in.models]
            self._send_json(200, {"object": "list", "data": listed})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._allowed():
            return
        if self.path == "/v1/chat/completions/control":
            self.stand_in.controls.append(body)
            self.stand_in.go_on()
            self._send_json(200, {"success": True})
        elif self.stand_in.refusal is not None:
            self.stand_in.requests.append(body)
            self._refuse(*self.stand_in.refusal)
        else:
            self.stand_in.requests.append(body)
            self._stream()

    def _allowed(self) -> bool:
        key = self.stand_in.key
        allowed = key is None or self.headers["Authorization"] == f"Bearer {key}"
        if not allowed:
            self._refuse(401, "The key is wrong.")
        return allowed

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for chunk in self.stand_in.stream():
                if chunk is None:
                    return
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                self.wfile.flush()
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.stand_in.left += 1

    def _refuse(self, status: int, message: str) -> None:
        self._send_json(status, {"error": {"message": message, "type": "x", "code": status}})

    def _send_json(self, status: int, value: Any) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running() -> Iterator[StandIn]:
    """A stand-in on a port of its own."""
    stand_in = StandIn()
    handler = type("Handler", (_Handler,), {"stand_in": stand_in})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    stand_in.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield stand_in
    finally:
        for _ in range(16):
            stand_in.go_on()
        server.shutdown()
        server.server_close()
        thread.join()
