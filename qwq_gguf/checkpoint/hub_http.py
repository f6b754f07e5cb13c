"""Bounded requests to the Hub, through the session of huggingface_hub.

The session brings its proxies, its certificates and its headers; what is here adds what
reading from strangers needs: never more bytes than asked for, a limit on time, and the
few, short retries of hub_retry.py. The session drops the token where the Hub redirects
to another host.
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
from qwq_gguf.checkpoint.hub_retry import QUICK, RETRIED, asked_wait
from qwq_gguf.checkpoint.hub_settings import HubSettings
from qwq_gguf.errors import HubAccessError, HubConnectionError, HubError

__all__ = [
    "Answer",
    "BrokenAnswer",
    "PassingFault",
    "Tail",
    "get",
    "get_start",
    "open_tail",
    "signed_in",
]

POLICY = QUICK
PATIENCE = 120.0  # seconds for one whole answer; what is asked for here is small


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
    """A whole document. HubError in one of its kinds, also when it is longer than `limit`."""
    answer = _retried(hub, url, limit + 1, {}, repo, revision, None)
    if len(answer.content) > limit:
        raise HubError(
            "the Hub's answer is absurdly long", path=url, expected=f"at most {limit:,} bytes"
        )
    return answer


def get_start(hub: HubSettings, repo: str, commit: str, file: str, count: int) -> Answer:
    """The first `count` bytes of a file, fewer only where the file ends.

    A server that ignores Range costs nothing: its answer is dropped after `count` bytes.
    """
    url = hub.file_url(repo, commit, file)
    return _retried(hub, url, count, {"Range": f"bytes=0-{count - 1}"}, repo, commit, file)


@dataclass(frozen=True, slots=True)
class Tail:
    """The bytes of a file from `start` to its end, as they come.

    `start` is 0 where the server knows no ranges; `total` is the size of the whole file, if
    said. `shut` ends `chunks` at once, from any thread.
    """

    start: int
    total: int | None
    chunks: Iterator[bytes]
    shut: Callable[[], None]


@contextmanager
def open_tail(
    hub: HubSettings, repo: str, commit: str, file: str, start: int, *, silence: float
) -> Iterator[Tail]:
    """One request for a file from byte `start` on, without retries.

    PassingFault, also from within the context while it reads, where another try may help;
    else HubError in one of its kinds. `silence` is how many seconds may pass without a byte.
    """
    url = hub.file_url(repo, commit, file)
    # A file from its start needs no range, so any server will do.
    extra = {"Range": f"bytes={start}-"} if start else {}
    with _answered(hub, url, extra, repo, commit, file, silence) as response:
        said = response.headers
        if response.status_code == 416:
            total = said.get("Content-Range", "").rpartition("/")[2]
            first, size = start, int(total) if _is_size(total) else None
        else:
            first, size = _placed(response.status_code, said, file)
        yield Tail(first, size, response.iter_raw(), lambda: _shut(response))


def signed_in(hub: HubSettings) -> bool:
    """Whether requests carry a token."""
    return "authorization" in _headers(hub)


def _headers(hub: HubSettings) -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers

    try:
        return build_hf_headers(
            token=hub.token, library_name="qwq-gguf", library_version=_version()
        )
    except Exception as problem:  # it may read files and even ask a server for a new token
        raise HubAccessError(
            "the saved token cannot be read",
            found=f"{type(problem).__name__}: {problem}"[:200],
            hint="hf auth login, or pass one with --token",
        ) from problem


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
            with _answered(hub, url, extra, repo, revision, file, POLICY.silence) as response:
                return _start(response, count, file or repo)
        except PassingFault as fault:
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
) -> Iterator[Any]:
    """An answer of 200, 206 or 416 to one GET, its body not read yet."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
    from huggingface_hub.utils import get_session

    # Compressed, the bytes of a range would not be those of the file.
    headers = {**_headers(hub), "Accept-Encoding": "identity", **extra}
    # httpx.HTTPError in versions 1 of the client, that of httpx2 in versions 2; and OSError.
    broken: tuple[type[BaseException], ...] = (*HfHubHTTPError.__bases__, BrokenAnswer)
    try:
        # The client's headers are duck-typed: find("X-Y") in any case, on every version.
        with get_session().stream(
            "GET", url, headers=headers, timeout=silence, follow_redirects=True
        ) as response:
            status, said = response.status_code, response.headers
            if status >= 400 and status != 416:
                error = refusal(
                    hub,
                    status,
                    said,
                    repo=repo,
                    revision=revision,
                    file=file,
                    signed_in="authorization" in headers,
                )
                raise PassingFault(error, asked_wait(said)) if status in RETRIED else error
            if status not in (200, 206, 416):
                raise HubError(f"the Hub answered {status}", path=file or repo)
            if said.get("Content-Encoding", "identity").lower() not in ("", "identity"):
                raise HubError(
                    "the Hub compresses what was asked for as it is",
                    path=file or repo,
                    found=said["Content-Encoding"][:40],
                    hint="check HF_ENDPOINT and the proxy",
                )
            yield response
    except OfflineModeIsEnabled as problem:
        raise offline(hub, repo, revision) from problem
    except broken as problem:
        raise PassingFault(unreachable(hub, problem)) from problem


def _start(response: Any, count: int, what: str) -> Answer:
    said = response.headers
    if response.status_code == 416:  # no byte 0: the file is empty
        return Answer(b"", 0, said)
    first, size = _placed(response.status_code, said, what)
    if first:
        raise _another_part(said, what, 0)
    expected = count if size is None else min(count, size)
    content = _read(response.iter_raw, expected, what)
    if size is not None and len(content) < expected:
        raise BrokenAnswer(f"the answer ended after {len(content)} of {expected} bytes")
    return Answer(content, size, said)


def _read(iter_raw: Callable[[int], Any], count: int, what: str) -> bytes:
    deadline = time.monotonic() + PATIENCE
    content = bytearray()
    if count == 0:
        return b""
    for chunk in iter_raw(1 << 16):
        content += chunk[: count - len(content)]
        if len(content) == count:
            break
        if time.monotonic() > deadline:
            raise HubConnectionError(
                "the Hub is too slow",
                path=what,
                found=f"{len(content):,} of {count:,} bytes in {PATIENCE:.0f} seconds",
                hint="try again later",
            )
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
        found=headers.get("Content-Range", "no Content-Range")[:80],
        expected=f"bytes {'N' if first is None else first}-...",
        hint="check HF_ENDPOINT and the proxy",
    )


def _shut(response: Any) -> None:
    """End what reads the answer, from another thread. Where it cannot, a timeout does."""
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if isinstance(connection, socket.socket):
        try:
            # Not an SSLSocket's own method, which takes its state from under the reader.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:  # it is closed
            pass
