"""Bounded reads from a Hub that misbehaves."""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import replace
from typing import BinaryIO

import pytest

from qwq_gguf.checkpoint.hub import http as hub_http
from qwq_gguf.checkpoint.hub.http import get, get_start
from qwq_gguf.checkpoint.hub.settings import HubSettings, hub_settings
from qwq_gguf.errors import (
    HubAccessError,
    HubConnectionError,
    HubError,
    HubNotFoundError,
    HubOfflineError,
)
from support.hub import Fault, LoopbackHub

REPO = "org/name"
SHARD = bytes(range(256)) * 40
FILE = "model.safetensors"


def start(hub: LoopbackHub, commit: str, count: int = 100, file: str = FILE) -> hub_http.Answer:
    return get_start(hub_settings(), REPO, commit, file, count)


@pytest.fixture
def commit(hub: LoopbackHub) -> str:
    return hub.add(REPO, {FILE: SHARD, "config.json": b"{}", "empty.safetensors": b""})


def test_only_the_start_is_read(hub: LoopbackHub, commit: str) -> None:
    answer = start(hub, commit)
    assert (answer.content, answer.size) == (SHARD[:100], len(SHARD))
    assert [request.span for request in hub.seen("GET")] == ["bytes=0-99"] * 2


def test_a_file_that_ends_early_is_its_whole_self(hub: LoopbackHub, commit: str) -> None:
    assert start(hub, commit, 1 << 20).content == SHARD
    assert start(hub, commit, file="config.json").content == b"{}"


def test_an_empty_file_is_empty(hub: LoopbackHub, commit: str) -> None:
    answer = start(hub, commit, file="empty.safetensors")
    assert (answer.content, answer.size) == (b"", 0)


def test_the_storage_never_sees_the_token(
    hub: LoopbackHub, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.good_token)
    start(hub, commit)
    assert [(request.host, request.token) for request in hub.requests] == [
        ("hub", hub.good_token),
        ("storage", None),
    ]


def test_a_server_that_ignores_ranges_is_cut_off(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault("safetensors", ignore_range=True))
    answer = start(hub, commit)
    assert (answer.content, answer.size) == (SHARD[:100], len(SHARD))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_retried(hub: LoopbackHub, commit: str, status: int) -> None:
    hub.faults.append(Fault("GET", status=status, times=3))
    assert start(hub, commit).content == SHARD[:100]
    assert len(hub.seen("GET /org")) == 4


def test_a_lasting_fault_is_not_retried_for_ever(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault("GET", status=503, headers={"X-Error-Message": "being repaired"}))
    with pytest.raises(HubConnectionError, match="answered 503") as caught:
        start(hub, commit)
    assert caught.value.found == "being repaired"
    assert len(hub.requests) == 4


@pytest.mark.parametrize("status", [400, 403, 410])
def test_a_refusal_is_not_retried(hub: LoopbackHub, commit: str, status: int) -> None:
    hub.faults.append(Fault("GET", status=status))
    with pytest.raises(HubError):
        start(hub, commit)
    assert len(hub.requests) == 1


def test_the_server_says_how_long_to_wait(
    hub: LoopbackHub, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    hub.faults.append(Fault("GET", status=429, headers={"Retry-After": "7"}, times=1))
    assert start(hub, commit).content == SHARD[:100]
    assert waited == [7.0]


def test_a_long_wait_is_left_to_the_user(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault("GET", status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(HubConnectionError) as caught:
        start(hub, commit)
    assert caught.value.hint == "try again in 3600 seconds"
    assert len(hub.requests) == 1


@pytest.mark.parametrize("cut", [0, 1, 99])
def test_an_answer_that_breaks_off_is_retried(hub: LoopbackHub, commit: str, cut: int) -> None:
    hub.faults.append(Fault("file=", cut_after=cut, times=2))
    assert start(hub, commit).content == SHARD[:100]
    assert len(hub.seen("file=")) == 3


def test_an_answer_that_always_breaks_off(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault("file=", cut_after=50))
    with pytest.raises(HubConnectionError, match="broke off"):
        start(hub, commit)
    assert len(hub.seen("file=")) == 4


def test_another_part_of_the_file_is_refused(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault("file=", shift=8))
    with pytest.raises(HubConnectionError, match="another part"):
        start(hub, commit)


@pytest.mark.parametrize("total", [10, 10**19])
def test_a_wrong_total_is_the_size_it_claims_or_refused(
    hub: LoopbackHub, commit: str, total: int
) -> None:
    hub.faults.append(Fault("file=", say_total=total))
    if total == 10:
        assert (start(hub, commit).content, start(hub, commit).size) == (SHARD[:10], 10)
    else:
        with pytest.raises(HubConnectionError, match="another part"):
            start(hub, commit)


def test_compressed_bytes_are_refused(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault("file=", encoding="gzip"))
    with pytest.raises(HubError, match="compresses"):
        start(hub, commit)


def drip(*says: bytes) -> Fault:
    """Says each, then the last a byte at a time without end; no single wait is long."""

    def raw(out: BinaryIO, closing: threading.Event) -> None:
        try:
            for text in says:
                out.write(text)
                out.flush()
            while not closing.wait(0.02):
                out.write(says[-1])
                out.flush()
        except OSError:
            hung_up.set()

    hung_up.clear()
    return Fault("GET", raw=raw)


hung_up = threading.Event()
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "says",
    [
        (OK, b"X"),
        (OK, b"X-A: b\r\n"),
        (b"HTTP/1.1 100 Continue\r\n\r\n",),
        (OK + b"Content-Length: 100000\r\n\r\n", b"x"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 90000\r\n\r\n", b"x"),
    ],
    ids=["header", "headers", "100", "body", "extension", "chunks", "redirect"],
)
def test_a_drip_is_given_up(
    hub: LoopbackHub, commit: str, monkeypatch: pytest.MonkeyPatch, says: tuple[bytes, ...]
) -> None:
    """One time for the whole exchange, however alive the connection is; and no second try."""
    monkeypatch.setattr(hub_http, "PATIENCE", 0.3)
    hub.faults.append(drip(*says))
    with pytest.raises(HubError, match=r"too slow|in time|in a circle"):
        start(hub, commit, 1 << 20)
    assert len(hub.requests) == (5 if b"302" in says[0] else 1)
    assert hung_up.wait(5)


def test_silence_is_given_up(
    hub: LoopbackHub, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_http, "POLICY", replace(hub_http.POLICY, silence=0.05))
    hub.faults.append(Fault("GET", delay=0.3))
    with pytest.raises(HubConnectionError, match="in time"):
        start(hub, commit)


def test_a_document_is_bounded(hub: LoopbackHub, commit: str) -> None:
    settings = hub_settings()
    url = settings.file_url(REPO, commit, "config.json")
    assert get(settings, url, limit=2, repo=REPO, revision="main").content == b"{}"
    with pytest.raises(HubError, match="absurdly long"):
        get(settings, url, limit=1, repo=REPO, revision="main")


def test_nobody_listens(hub: LoopbackHub) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        settings = HubSettings(f"http://127.0.0.1:{port}", hub_settings().cache)
        with pytest.raises(HubConnectionError, match="cannot be reached") as caught:
            get_start(settings, REPO, "0" * 40, FILE, 10)
    assert caught.value.path == settings.endpoint
    assert "refused" in (caught.value.found or "")


def test_offline_where_only_the_client_knows(
    hub: LoopbackHub, commit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubOfflineError):
        start(hub, commit)
    assert hub.requests == []


def test_what_refusals_say(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    gated = hub.add("meta/gated", {FILE: SHARD}, gated=True)
    private = hub.add("me/private", {FILE: SHARD}, private=True)
    public = hub.add(REPO, {FILE: SHARD})

    def refused(repo: str, commit: str, token: str | None, file: str = FILE) -> HubError:
        with pytest.raises(HubError) as caught:
            get_start(hub_settings(token), repo, commit, file, 10)
        return caught.value

    stranger = refused("meta/gated", gated, None)
    assert isinstance(stranger, HubAccessError)
    assert f"{hub.url}/meta/gated" in (stranger.hint or "")
    assert "hf auth login" in (stranger.hint or "")

    member = refused("meta/gated", gated, hub.poor_token)
    assert isinstance(member, HubAccessError)
    assert "the account of your token" in (member.hint or "")
    assert "hf auth login" not in (member.hint or "")

    for repo, token in (("me/private", None), ("no/such", None), ("no/such", hub.good_token)):
        error = refused(repo, private, token)
        assert isinstance(error, HubNotFoundError)
        assert "private" in error.message

    forged = refused(REPO, public, "hf_forged")
    assert isinstance(forged, HubAccessError)
    assert "hf_forged" not in str(forged)

    assert re.search("no such revision", refused(REPO, "f" * 40, None).message)
    file = refused(REPO, public, None, "other.safetensors")
    assert (file.message, file.found) == ("there is no such file", "other.safetensors")
    hub.faults.append(Fault("/resolve/", status=404, times=1))  # a mirror that says no more
    assert refused(REPO, public, None).message == "there is no such file"

    assert get_start(hub_settings(hub.good_token), "meta/gated", gated, FILE, 10).size == len(SHARD)
