"""Bounded requests to the Hub, through the session of huggingface_hub.

The session brings its proxies, its certificates and its headers; what is here adds what
reading from strangers needs: never more bytes than asked for, one limit on time for a whole
exchange, redirects that are followed here, without their bodies and without the token when
they lead to another server, and the few, short retries of hub_retry.py.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as counted
from typing import Any

from qwq_gguf.checkpoint.hub_errors import offline, refusal, unreachable
from qwq_gguf.checkpoint.hub_redirect import next_hop
from qwq_gguf.checkpoint.hub_retry import QUICK, RETRIED, asked_wait
from qwq_gguf.checkpoint.hub_settings import HubSettings
from qwq_gguf.deadline import Deadline, hang_up
from qwq_gguf.errors import HubAccessError, HubConnectionError, HubError, QwqGgufError
from qwq_gguf.said import one_line

__all__ = [
    "Answer",
    "BrokenAnswer",
    "PassingFault",
    "Tail",
    "get",
    "get_start",
    "get_whole",
    "open_tail",
    "signed_in",
]

POLICY = QUICK
PATIENCE = 120.0
"""Seconds for one whole answer, its redirects and headers included; what is asked for by
all but `open_tail` is small. A tail has them for its headers."""
_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


class BrokenAnswer(Exception):
    """An answer that ended before its time."""


class PassingFault(Exception):
    """What may go better another time: the error it is else, and the wait that was asked for."""

    def __init__(self, error: HubError, asked: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.asked = asked


@dataclass(frozen=True, slots=True)
class Answer:
    """`content` is at most as long as was asked for; `size` is the whole file's, if said."""

    content: bytes
    size: int | None
    headers: Mapping[str, str]


def get(hub: HubSettings, url: str, *, limit: int, repo: str, revision: str) -> Answer:
    """A whole document of the Hub's own server, no file: no redirect to another is followed.

    HubError in one of its kinds, also when it is longer than `limit`.
    """
    answer = _retried(hub, url, limit + 1, {}, repo, revision, None)
    if len(answer.content) > limit:
        raise HubError(
            "the Hub's answer is absurdly long", path=repo, expected=f"at most {limit:,} bytes"
        )
    return answer


def get_start(hub: HubSettings, repo: str, commit: str, file: str, count: int) -> Answer:
    """The first `count` bytes of a file, fewer only where the file ends.

    A server that ignores Range costs nothing: its answer is dropped after `count` bytes.
    """
    url = hub.file_url(repo, commit, file)
    return _retried(hub, url, count, {"Range": f"bytes=0-{count - 1}"}, repo, commit, file)


def get_whole(hub: HubSettings, repo: str, commit: str, file: str, count: int) -> Answer:
    """A file of `count` bytes. Of a longer one no more is read, and `size` says so, if said."""
    return _retried(hub, hub.file_url(repo, commit, file), count, {}, repo, commit, file)


@dataclass(frozen=True, slots=True)
class Tail:
    """The bytes of a file from `start` to its end, as they come.

    `start` is 0 where the server knows no ranges; `total` is the size of the whole file, if
    said. `shut` ends `chunks` at once, from any thread; and so it ends after so many seconds
    as were given to `extend` the last time.
    """

    start: int
    total: int | None
    chunks: Iterator[bytes]
    shut: Callable[[], None]
    extend: Callable[[float], None]


@contextmanager
def open_tail(
    hub: HubSettings,
    repo: str,
    commit: str,
    file: str,
    start: int,
    *,
    silence: float,
    stop: int | None = None,
) -> Iterator[Tail]:
    """One request for a file from byte `start` on (and up to `stop`), without retries.

    PassingFault, also from within the context while it reads, where another try may help;
    else HubError in one of its kinds. `silence` is how many seconds may pass without a byte.
    """
    url = hub.file_url(repo, commit, file)
    # A file from its start needs no range, so any server will do.
    last = "" if stop is None else str(stop - 1)
    extra = {"Range": f"bytes={start}-{last}"} if start or last else {}
    with (
        Deadline(PATIENCE) as deadline,
        _answered(hub, url, extra, repo, commit, file, silence, deadline) as response,
    ):
        said = response.headers
        if response.status_code == 416:
            total = said.get("Content-Range", "").rpartition("/")[2]
            first, size = start, int(total) if _is_size(total) else None
        else:
            first, size = _placed(response.status_code, said, file)
        yield Tail(first, size, response.iter_raw(), lambda: _shut(response), deadline.extend)


def signed_in(hub: HubSettings) -> bool:
    """Whether requests carry a token."""
    return _has_token(_headers(hub))


def _has_token(headers: Mapping[str, str]) -> bool:
    return headers.get("authorization", "").startswith("Bearer ")


def _headers(hub: HubSettings) -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers

    try:
        built = build_hf_headers(
            token=hub.token, library_name="qwq-gguf", library_version=_version()
        )
    except Exception as problem:  # it may read files and even ask a server for a new token
        raise HubAccessError(
            "the saved token cannot be read",
            found=one_line(f"{type(problem).__name__}: {problem}"),
            hint="hf auth login, or pass one with --token",
        ) from problem
    headers = {name.lower(): value for name, value in built.items()}
    if hub.login is not None:
        headers["authorization"] = hub.login
    token = headers.get("authorization", "")
    if not (token.isascii() and token.isprintable()):
        # The library's own error would show it.
        raise HubAccessError(
            "the saved token, or HF_TOKEN, is not a token",
            expected="printable characters without spaces, as hf_...",
            hint="hf auth login, or pass one with --token",
        )
    # Compressed, the bytes of a range would not be those of the file; and a connection that
    # is not kept for another request is one whose socket a deadline knows.
    return {**headers, "accept-encoding": "identity", "connection": "close"}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("qwq-gguf")
    except PackageNotFoundError:
        return "0"


def _retried(
    hub: HubSettings,
    url: str,
    count: int,
    extra: Mapping[str, str],
    repo: str,
    revision: str,
    file: str | None,
) -> Answer:
    for failures in counted(1):
        try:
            with (
                Deadline(PATIENCE) as deadline,
                _answered(
                    hub, url, extra, repo, revision, file, POLICY.silence, deadline
                ) as response,
            ):
                return _start(response, count, file or repo, deadline)
        except PassingFault as fault:
            if deadline.passed:  # it has had the time of all retries
                raise fault.error from fault.__cause__
            delay = POLICY.wait(failures, fault.asked)
            if delay is None:
                raise fault.error from fault.__cause__
        time.sleep(delay)
    raise AssertionError("unreachable")


@contextmanager
def _answered(
    hub: HubSettings,
    url: str,
    extra: Mapping[str, str],
    repo: str,
    revision: str,
    file: str | None,
    silence: float,
    deadline: Deadline,
) -> Iterator[Any]:
    """An answer of 200, 206 or 416 to one GET and its redirects, its body not read yet."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    headers = {**_headers(hub), **extra}
    # httpx.HTTPError in versions 1 of the client, that of httpx2 in versions 2; and OSError.
    broken: tuple[type[BaseException], ...] = (*HfHubHTTPError.__bases__, BrokenAnswer)
    try:
        with _arrived(hub, url, headers, silence, deadline, may_leave=file is not None) as response:
            # The client's headers are duck-typed: find("X-Y") in any case, on every version.
            status, said = response.status_code, response.headers
            if status >= 400 and status != 416:
                error = refusal(
                    hub,
                    status,
                    said,
                    repo=repo,
                    revision=revision,
                    file=file,
                    signed_in=_has_token(headers),
                )
                raise PassingFault(error, asked_wait(said)) if status in RETRIED else error
            if status not in (200, 206, 416):
                raise HubError(f"the Hub answered {status}", path=file or repo)
            if said.get("Content-Encoding", "identity").lower() not in ("", "identity"):
                raise HubError(
                    "the Hub compresses what was asked for as it is",
                    path=file or repo,
                    found=one_line(said["Content-Encoding"], 40),
                    hint="check HF_ENDPOINT and the proxy",
                )
            yield response
    except OfflineModeIsEnabled as problem:
        raise offline(hub, repo, revision) from problem
    except broken as problem:
        raise PassingFault(unreachable(hub, problem, late=deadline.passed)) from problem


@contextmanager
def _arrived(
    hub: HubSettings,
    url: str,
    headers: dict[str, str],
    silence: float,
    deadline: Deadline,
    *,
    may_leave: bool,
) -> Iterator[Any]:
    """The answer that the redirects lead to. `may_leave`: also to another server."""
    from huggingface_hub.utils import get_session

    def traced(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            connection = _socket(info.get("return_value"))
            if connection is not None:
                deadline.watch(connection)

    for _ in range(_HOPS):
        with _sent(hub, get_session(), url, headers, silence, traced) as response:
            location = response.headers.get("Location")
            if response.status_code not in _REDIRECTS or location is None:
                yield response
                return
        # Its body is not read: it may be long.
        hop = next_hop(hub, url, location, may_leave=may_leave)
        url = hop.url
        if hop.leaves:
            headers = {name: value for name, value in headers.items() if name != "authorization"}
    raise HubError(
        "the Hub redirects in a circle",
        path=hub.endpoint,
        found=f"{_HOPS} redirects",
        hint="check HF_ENDPOINT and the proxy",
    )


@contextmanager
def _sent(
    hub: HubSettings,
    session: Any,
    url: str,
    headers: Mapping[str, str],
    silence: float,
    traced: Callable[[str, Mapping[str, Any]], None],
) -> Iterator[Any]:
    inside = False
    try:
        with session.stream(
            "GET",
            url,
            headers=headers,
            timeout=silence,
            follow_redirects=False,
            extensions={"trace": traced},
        ) as response:
            inside = True
            yield response
    except QwqGgufError:
        raise
    except Exception as problem:
        # Not of its HTTPError, in no version.
        if inside or type(problem).__name__ not in ("InvalidURL", "UnicodeError"):
            raise
        raise HubError(
            "the Hub leads to what is no address",
            path=hub.endpoint,
            found=one_line(str(problem)),
            hint="check HF_ENDPOINT and the proxy",
        ) from problem


def _start(response: Any, count: int, what: str, deadline: Deadline) -> Answer:
    said = response.headers
    if response.status_code == 416:  # no byte 0: the file is empty
        return Answer(b"", 0, said)
    first, size = _placed(response.status_code, said, what)
    if first:
        raise _another_part(said, what, 0)
    expected = count if size is None else min(count, size)
    try:
        content = _read(response.iter_raw(), expected)
        if size is not None and len(content) < expected:
            raise BrokenAnswer(f"the answer ended after {len(content)} of {expected} bytes")
    except Exception as problem:
        if not deadline.passed:
            raise
        raise HubConnectionError(
            "the Hub is too slow",
            path=what,
            found=f"less than {expected:,} bytes in {PATIENCE:.0f} seconds",
            hint="try again later",
        ) from problem
    return Answer(content, size, said)


def _read(chunks: Iterator[bytes], count: int) -> bytes:
    content = bytearray()
    if count == 0:
        return b""
    for chunk in chunks:
        content += chunk[: count - len(content)]
        if len(content) == count:
            break
    return bytes(content)


def _placed(status: int, headers: Mapping[str, str], what: str) -> tuple[int, int | None]:
    """The first byte of an answer in the file, and the size of the whole file."""
    if status == 200:
        text = headers.get("Content-Length", "")
        return 0, int(text) if _is_size(text) else None
    # bytes 0-65535/4932308
    kind, _, rest = headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    first = span.partition("-")[0]
    if kind != "bytes" or not _is_size(first) or not _is_size(total):
        raise _another_part(headers, what, None)
    return int(first), int(total)


def _is_size(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _another_part(headers: Mapping[str, str], what: str, first: int | None) -> HubConnectionError:
    return HubConnectionError(
        "the Hub sends another part of the file than was asked for",
        path=what,
        found=one_line(headers.get("Content-Range", "no Content-Range"), 80),
        expected=f"bytes {'N' if first is None else first}-...",
        hint="check HF_ENDPOINT and the proxy",
    )


def _shut(response: Any) -> None:
    """End what reads the answer, from another thread. Where it cannot, a timeout does."""
    connection = _socket(response.extensions.get("network_stream"))
    if connection is not None:
        hang_up(connection)


def _socket(stream: Any) -> socket.socket | None:
    found = None if stream is None else stream.get_extra_info("socket")
    return found if isinstance(found, socket.socket) else None
