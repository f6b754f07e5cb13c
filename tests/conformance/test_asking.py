"""Servers of all kinds, honest and not, on loopback."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from qwq_gguf.conformance import ask_server
from qwq_gguf.conformance import http as asking
from qwq_gguf.conformance.http import Client
from qwq_gguf.errors import ServerError

PROPS = {"default_generation_settings": {"params": {"top_k": 40}, "n_ctx": 512}}


@contextmanager
def serving(routes: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server: a dict is answered as JSON, bytes as they are, an int as a status, a text as
    a redirect. Yields its address and what it was asked.
    """
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked.append((self.path, self.rfile.read(length).decode()))
            answer = routes.get(self.path, 404)
            status = answer if isinstance(answer, int) else 302 if isinstance(answer, str) else 200
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            if isinstance(answer, str):
                self.send_header("Location", answer)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_each_kind_is_recognised() -> None:
    with serving({"/props": PROPS, "/completion": {"generation_settings": {"top_k": 3}}}) as (
        at,
        _,
    ):
        applied = ask_server(Client(at))
        assert (applied.server, applied.settings["top_k"]) == ("llama-server", 3)
    tags = {"models": [{"name": "qwq:latest"}]}
    with serving({"/api/tags": tags, "/api/show": {"parameters": "top_k 5"}}) as (at, asked):
        applied = ask_server(Client(at))
        assert (applied.server, applied.settings["top_k"]) == ("Ollama", 5)
        assert json.loads(asked[-1][1]) == {"model": "qwq:latest"}
    models = {"data": [{"id": "Qwen/QwQ-32B", "max_model_len": 32768}]}
    with serving({"/v1/models": models}) as (at, _):
        applied = ask_server(Client(at + "/v1"))
        assert (applied.context, applied.order, applied.settings) == (32768, None, {})


def test_one_of_several_models_has_to_be_named() -> None:
    models = {"data": [{"id": "a"}, {"id": "b", "max_model_len": 5}]}
    with serving({"/v1/models": models}) as (at, _):
        with pytest.raises(ServerError, match="several models") as caught:
            ask_server(Client(at))
        assert caught.value.hint == "--model NAME"
        assert ask_server(Client(at), model="b").context == 5
        with pytest.raises(ServerError, match="no such model"):
            ask_server(Client(at), model="c")


def test_a_redirect_is_reported_and_not_followed() -> None:
    with (
        serving({"/props": PROPS}) as (other, asked),
        serving({"/props": f"{other}/props"}) as (at, _),
    ):
        with pytest.raises(ServerError, match="not followed") as caught:
            ask_server(Client(at))
        assert caught.value.found == f"{other}/props"
        assert asked == []


@pytest.mark.parametrize("answer", [b"<html>", b"[1]", b"[" * 100_000, b"\xff", b""])
def test_nonsense_is_refused(answer: bytes) -> None:
    with serving({"/props": answer}) as (at, _), pytest.raises(ServerError, match="JSON"):
        ask_server(Client(at))


def test_a_long_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_ANSWER", 1000)
    with serving({"/props": b" " * 2000}) as (at, _), pytest.raises(ServerError, match="long"):
        ask_server(Client(at))


@pytest.mark.parametrize("trickle", [False, True])
def test_a_slow_answer_is_not_waited_for(trickle: bool) -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not done.wait(0.02):
                    if trickle:
                        try:
                            connection.sendall(b" ")
                        except OSError:
                            return

        thread = threading.Thread(target=answer)
        thread.start()
        port = listening.getsockname()[1]
        client = Client(f"127.0.0.1:{port}", timeout=0.3, patience=0.5)
        started = time.monotonic()
        try:
            with pytest.raises(ServerError, match="too long"):
                client.get("/props")
            assert time.monotonic() - started < 5
        finally:
            done.set()
            thread.join()


def test_errors_of_the_server_are_shown() -> None:
    with serving({"/props": 500}) as (at, _), pytest.raises(ServerError, match="status 500"):
        ask_server(Client(at))
    with serving({}) as (at, _), pytest.raises(ServerError, match="nothing known"):
        ask_server(Client(at))
    with pytest.raises(ServerError, match="cannot be asked"):
        ask_server(Client("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host", "http://", "http://me:secret@host", "http://host/?a=b", "http://host/#x",
        "http://host:99999", "http://host/a b", "http://host/\r\nX: y", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(ServerError):
        Client(url)


def test_the_command_says_what_differs() -> None:
    runner = CliRunner()
    with serving({"/props": PROPS}) as (at, _):
        done = runner.invoke(app, ["conformance", at, "--profile", "qwq"])
        assert done.exit_code == 1
        assert "context" in done.stdout
        assert "1 of" in done.stderr
        said = json.loads(runner.invoke(app, ["conformance", at, "--json"]).stdout)
    assert said["conforms"] is False
    assert {row["setting"] for row in said["settings"] if row["verdict"] == "differs"} == {
        "context"
    }
