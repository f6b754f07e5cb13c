"""HTTP by hand: no client's own ideas between a test and the bytes."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "ask", "events", "open_stream", "raw"]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)


def ask(
    port: int,
    path: str,
    body: Any = None,
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request, on a connection of its own. `body` is JSON, or bytes as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        verb = method or ("GET" if body is None else "POST")
        connection.request(verb, path, sent, dict(headers or {}))
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


def events(content: bytes) -> list[Any]:
    """The data of a stream of events; comments and `[DONE]` left out, but it has to be there."""
    lines = [line[6:] for line in content.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def open_stream(port: int, path: str, body: Any) -> tuple[socket.socket, Iterator[bytes]]:
    """A request whose answer is read line by line; close the socket to go away."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    sent = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(sent)}\r\n\r\n"
    sock.sendall(head.encode() + sent)
    return sock, iter(sock.makefile("rb"))


def raw(port: int, sent: bytes, *, timeout: float = 10.0) -> bytes:
    """What comes of these bytes until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(sent)
        got = b""
        try:
            while chunk := sock.recv(65536):
                got += chunk
        except ConnectionResetError:  # closed with something of ours unread
            pass
        return got
