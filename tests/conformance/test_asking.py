"""Servers of all kinds, honest and not, on loopback."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from qwq_gguf.cli.app import app
from qwq_gguf.conformance import ask_server
from qwq_gguf.conformance import http as asking
from qwq_gguf.conformance.http import Client
from qwq_gguf.errors import ServerError
from support.chat_templates import OPENS, STRIPS
from support.tiny_gguf import write_random

PROPS = {"default_generation_settings": {"params": {"top_k": 40}, "n_ctx": 512}}


@contextmanager
def serving(
    routes: dict[str, Any], keys: list[str | None] | None = None
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """A server: a dict is answered as JSON, bytes as they are, an int as a status, a text as
    a redirect. Yields its address and what it was asked; `keys` is told each authorization.
    """
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked.append((self.path, self.rfile.read(length).decode()))
            if keys is not None:
                keys.append(self.headers.get("Authorization"))
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


@pytest.mark.parametrize(
    "reply, told",
    [
        (500, "no reply could be looked at"),
        ({"choices": [{"message": {"content": "hm</think>301"}}]}, "in the answer"),
        ({"choices": [{"message": {"reasoning_content": "hm", "content": "301"}}]}, "apart"),
        ({"choices": 7}, "not told"),
    ],
)
def test_a_reply_is_asked_of_a_model_that_thinks(reply: Any, told: str) -> None:
    routes = {"/props": PROPS | {"chat_template": OPENS}, "/v1/chat/completions": reply}
    with serving(routes) as (at, asked):
        done = CliRunner().invoke(app, ["conformance", at], env={"COLUMNS": "200"})
        assert told in done.output
        (body,) = (json.loads(text) for path, text in asked if path == "/v1/chat/completions")
        assert (body["thinking_budget_tokens"], body["temperature"]) == (16, 0)
    with serving({**routes, "/props": PROPS | {"chat_template": STRIPS}}) as (at, asked):
        CliRunner().invoke(app, ["conformance", at])
        assert "/v1/chat/completions" not in [path for path, _ in asked]


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


def test_a_key_goes_to_the_server_that_was_named_and_to_no_other() -> None:
    first: list[str | None] = []
    second: list[str | None] = []
    models = {"data": [{"id": "a"}]}
    with serving({"/v1/models": models}, first) as (at, _):
        ask_server(Client(at, api_key="sk-secret\n"))
    assert set(first) == {"Bearer sk-secret"}
    with serving({"/props": PROPS}, second) as (other, _):
        with (
            serving({"/props": f"{other}/props?sk-secret"}, first) as (at, _),
            pytest.raises(ServerError, match="not followed") as caught,
        ):
            ask_server(Client(at, api_key="sk-secret"))
        assert second == []
        ask_server(Client(other))
        assert set(second) == {None}
    assert "sk-secret" not in str(caught.value) + str(caught.value.found)


def test_a_key_that_is_missing_or_wrong_is_said_but_not_shown() -> None:
    with serving({"/props": 401}) as (at, _):
        with pytest.raises(ServerError, match="status 401") as caught:
            ask_server(Client(at))
        assert (caught.value.found, "--api-key" in str(caught.value.hint)) == ("no API key", True)
        with pytest.raises(ServerError, match="status 401") as caught:
            ask_server(Client(at, api_key="sk-secret"))
        assert "does not take" in str(caught.value.found)
    echo = b"no JSON: Bearer sk-secret"
    with serving({"/props": echo}) as (at, _), pytest.raises(ServerError) as caught:
        ask_server(Client(at, api_key="sk-secret"))
    assert caught.value.found == "no JSON: Bearer (the API key)"


@pytest.mark.parametrize("key", ["two words", "a\r\nHost: other", "schlüssel", "k" * 5000])
def test_what_cannot_be_a_key_is_not_sent(key: str) -> None:
    with pytest.raises(ServerError, match="API key cannot be one") as caught:
        Client("http://127.0.0.1:9", api_key=key)
    assert key not in f"{caught.value} {caught.value.found}"


@pytest.mark.parametrize(
    "url, exposed",
    [
        ("http://127.0.0.1:8080", False),
        ("http://[::1]:8080", False),
        ("localhost:8080", False),
        ("https://models.example.org", False),
        ("http://models.example.org", True),
        ("http://192.168.0.2:8080", True),
    ],
)
def test_an_unencrypted_connection_exposes_a_key(url: str, exposed: bool) -> None:
    assert Client(url, api_key="k").exposes_key is exposed
    assert not Client(url).exposes_key


@pytest.mark.parametrize(
    "answer",
    [b"<html>", b"[1]", b"[" * 100_000, b"\xff", b"", b'{"a": "\\ud800"}', b'{"a":' * 5000],
)
def test_nonsense_is_refused(answer: bytes) -> None:
    with serving({"/props": answer}) as (at, _), pytest.raises(ServerError, match="JSON"):
        ask_server(Client(at))


def test_a_long_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_ANSWER", 1000)
    with serving({"/props": b" " * 2000}) as (at, _), pytest.raises(ServerError, match="long"):
        ask_server(Client(at))


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "says, drips",
    [
        (OK + b"Content-Length: 100000\r\n\r\n", b""),
        (OK + b"Content-Length: 100000\r\n\r\n", b" "),
        (OK, b"X"),
        (OK, b"X-A: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (OK + b"\r\n{", b" "),
    ],
    ids=["silence", "body", "header", "headers", "100", "extension", "chunks", "no length"],
)
def test_a_slow_answer_is_not_waited_for(says: bytes, drips: bytes) -> None:
    """However alive it is: one time for the whole exchange."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(says)
                while not done.wait(0.01):
                    try:
                        connection.sendall(drips)
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


@pytest.mark.parametrize(
    "url",
    ["http://me:s3cret@host", "http://me:s3/cret@host", "me:s3cret@host:1", "http://h/?k=s3cret"],
)
def test_a_password_in_an_address_is_not_shown(url: str) -> None:
    with pytest.raises(ServerError) as caught:
        Client(url)
    assert "s3" not in f"{caught.value}{caught.value.found}"


def test_what_a_server_says_is_cleaned() -> None:
    said = b"\x1b[2J \xe2\x80\xaehttps://u:p4ss@x/?sig=1 " + b"x" * 5000
    with serving({"/props": said}) as (at, _), pytest.raises(ServerError) as caught:
        ask_server(Client(at))
    found = caught.value.found or ""
    assert found.isprintable()
    assert len(found) <= 200
    assert "p4ss" not in found


def test_the_longest_answer_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the kind that takes the most, once it is read."""
    times = 45
    assert times * asking.MAX_ANSWER < 256 << 20
    monkeypatch.setattr(asking, "MAX_ANSWER", 256 << 10)
    unit = b'{"a":0},'
    body = b'{"x":[' + unit * ((asking.MAX_ANSWER - 100) // len(unit)) + b"0]}"
    with serving({"/props": body}) as (at, _):
        tracemalloc.start()
        with pytest.raises(ServerError, match="nothing known"):
            ask_server(Client(at))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < times * asking.MAX_ANSWER


ABSURD: tuple[Any, ...] = (
    1e300, -1e300, 10**400, -(10**400), float("nan"), float("inf"), True, None, "x", "\x1b[2J",
    [], {}, [[[]]], "9" * 400, -1, 0, 2**53 + 1, 2**63,
)  # fmt: skip


@pytest.mark.parametrize("value", ABSURD, ids=lambda value: str(value)[:12].encode().hex())
def test_absurd_values_are_told_and_nothing_breaks(value: Any) -> None:
    from qwq_gguf.conformance.llama_server import FIELDS

    params = dict.fromkeys(FIELDS, value) | {
        "samplers": [value, "top_k"],
        "grammar": value,
        "logit_bias": [{"token": value, "bias": value}, value],
    }
    props = {"default_generation_settings": {"params": params, "n_ctx": value}}
    models = {"data": [{"id": value, "max_model_len": value, "meta": {"n_ctx_train": value}}]}
    show = {
        "parameters": f"top_k {value}\nnum_ctx {value}\nrepeat_last_n {value}\nstop {value}",
        "model_info": {"x.context_length": value, "general.sampling.sequence": value},
    }
    for routes in (
        {"/props": props, "/v1/models": models},
        {"/props": props, "/completion": {"generation_settings": params}},
        {"/props": {"default_generation_settings": value}},
        {"/api/tags": {"models": [{"name": "a"}]}, "/api/show": show},
        {"/api/tags": {"models": value}},
        {"/v1/models": models},
        {"/v1/models": {"data": [{"id": "a", "max_model_len": value}]}},
        {"/v1/models": {"data": value}},
    ):
        with serving(routes) as (at, _):
            for flags in ([], ["--json"]):
                done = CliRunner().invoke(app, ["conformance", at, "--profile", "qwq", *flags])
                assert done.exit_code in (0, 1)
                assert isinstance(done.exception, SystemExit | None), repr(done.exception)
                assert "fault in qwq-gguf" not in done.output


def test_the_command_says_what_differs() -> None:
    runner = CliRunner()
    with serving({"/props": PROPS}) as (at, _):
        done = runner.invoke(app, ["conformance", at, "--profile", "qwq"])
        assert done.exit_code == 1
        assert "context" in done.stdout
        assert "1 of" in done.stderr
        assert re.search(r"profile qwq, \d+ not told", done.stderr)
        said = json.loads(runner.invoke(app, ["conformance", at, "--json"]).stdout)
    assert said["conforms"] is False
    assert {row["setting"] for row in said["settings"] if row["verdict"] == "differs"} == {
        "context"
    }


@pytest.mark.parametrize(
    "arguments, wanted",
    [
        ([], "qwq"),
        (["--file"], "unsloth"),
        (["--file", "--profile", "auto"], "unsloth"),
        (["--file", "--profile", "r1-distill"], "r1-distill"),
    ],
)
def test_wanted_is_what_a_flag_says_else_the_file(
    arguments: list[str], wanted: str, tmp_path: Path
) -> None:
    file = write_random(tmp_path / "m.gguf", seed=1, keys={"qwq_gguf.profile": "unsloth"})
    if arguments:
        arguments = ["--file", str(file), *arguments[1:]]
    with serving({"/props": PROPS}) as (at, _):
        done = CliRunner().invoke(app, ["conformance", at, "--json", *arguments])
    assert json.loads(done.stdout)["profile"] == wanted


def test_a_file_that_carries_the_profile_is_not_to_be_given_it(tmp_path: Path) -> None:
    file = write_random(tmp_path / "m.gguf", seed=1, keys={"qwq_gguf.profile": "unsloth"})
    asked = ["conformance", "--no-reply", "--file", str(file)]
    hot = {"default_generation_settings": {"params": {"temperature": 1.5}, "n_ctx": 4096}}
    with serving({"/props": PROPS | hot}) as (at, _):
        own = CliRunner().invoke(app, [*asked, at])
        other = CliRunner().invoke(app, [*asked, at, "--profile", "qwen-llama-cpp"])
    assert "no flag of the server" in own.stderr
    assert "qwq-gguf set" not in own.stderr
    assert "`qwq-gguf set FILE --profile qwen-llama-cpp`" in " ".join(other.stderr.split())


def test_auto_goes_by_a_file() -> None:
    done = CliRunner().invoke(app, ["conformance", "http://127.0.0.1:9", "--profile", "auto"])
    assert done.exit_code == 2
    assert "--file" in done.stderr


def test_the_command_takes_a_key_from_the_environment_and_shows_it_nowhere() -> None:
    runner = CliRunner()
    seen: list[str | None] = []
    secret = {"QWQ_GGUF_API_KEY": "sk-secret"}
    with serving({"/props": PROPS}, seen) as (at, _):
        done = runner.invoke(app, ["conformance", at], env=secret)
        assert set(seen) == {"Bearer sk-secret"}
        typed = runner.invoke(app, ["conformance", at, "--api-key", "sk-typed"], env=secret)
        assert seen[-1] == "Bearer sk-typed"
    with serving({"/props": 401}) as (at, _):
        refused = runner.invoke(app, ["conformance", at], env=secret)
        assert refused.exit_code == 1
    usage = runner.invoke(app, ["conformance", "--help"], env=secret)
    bad = runner.invoke(app, ["conformance", at, "--api-key", "sk secret"])
    for result in (done, typed, refused, usage, bad):
        assert "sk-" not in result.output
        assert "sk secret" not in result.output


def test_an_answer_nested_deeper_than_any_is_no_json() -> None:
    body = b'{"x":' + b"[" * 70 + b"]" * 70 + b"}"
    with (
        serving({"/props": body}) as (at, _),
        pytest.raises(ServerError, match="/props is no JSON"),
    ):
        ask_server(Client(at))
