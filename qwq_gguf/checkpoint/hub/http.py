"""Bounded requests to the Hub: never more bytes than asked for, one limit on time for a whole
exchange, and the few, short retries of retry.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as counted
from typing import Any

from qwq_gguf.checkpoint.hub.connection import Line
from qwq_gguf.checkpoint.hub.exchange import BrokenAnswer, PassingFault, answered
from qwq_gguf.checkpoint.hub.retry import QUICK
from qwq_gguf.checkpoint.hub.settings import HubSettings
from qwq_gguf.deadline import Deadline
from qwq_gguf.errors import HubConnectionError, HubError
from qwq_gguf.words import message_of

__all__ = [
    "Answer",
    "Tail",
    "get",
    "get_start",
    "get_whole",
    "open_tail",
]

POLICY = QUICK
PATIENCE = 120.0
"""Seconds for one whole answer, its redirects and headers included; what is asked for by
all but `open_tail` is small. A tail has them for its headers."""


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


def get_whole(
    hub: HubSettings, repo: str, commit: str, file: str, count: int, line: Line
) -> Answer:
    """A file of `count` bytes. Of a longer one no more is read, and `size` says so, if said.

    Stopped, as soon as `line` is.
    """
    return _retried(hub, hub.file_url(repo, commit, file), count, {}, repo, commit, file, line)


@dataclass(frozen=True, slots=True)
class Tail:
    """The bytes of a file from `start` to its end, as they come.

    `start` is 0 where the server knows no ranges; `total` is the size of the whole file, if
    said. They end with an error after so many seconds as were given to `extend` the last time.
    """

    start: int
    total: int | None
    chunks: Iterator[bytes]
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
    line: Line,
    stop: int | None = None,
) -> Iterator[Tail]:
    """One request for a file from byte `start` on (and up to `stop`), without retries. `line`
    can end it at any time.

    PassingFault, also from within the context while it reads, where another try may help;
    else HubError in one of its kinds. `silence` is how many seconds may pass without a byte.
    """
    url = hub.file_url(repo, commit, file)
    # A file from its start needs no range, so any server will do.
    last = "" if stop is None else str(stop - 1)
    extra = {"Range": f"bytes={start}-{last}"} if start or last else {}
    with (
        Deadline(PATIENCE) as deadline,
        line.using(deadline.cut),
        answered(hub, url, extra, repo, commit, file, silence, deadline) as response,
    ):
        said = response.headers
        if response.status_code == 416:
            total = said.get("Content-Range", "").rpartition("/")[2]
            first, size = start, int(total) if _is_size(total) else None
        else:
            first, size = _placed(response.status_code, said, file)
        yield Tail(first, size, response.iter_raw(), deadline.extend)


def _retried(
    hub: HubSettings,
    url: str,
    count: int,
    extra: Mapping[str, str],
    repo: str,
    revision: str,
    file: str | None,
    line: Line | None = None,
) -> Answer:
    line = Line(pause=time.sleep) if line is None else line
    for failures in counted(1):
        try:
            with (
                Deadline(PATIENCE) as deadline,
                line.using(deadline.cut),
                answered(
                    hub, url, extra, repo, revision, file, POLICY.silence, deadline
                ) as response,
            ):
                return _start(response, count, file or repo, deadline)
        except PassingFault as fault:
            line.check()  # the fault may be our own hanging up
            if deadline.passed:  # it has had the time of all retries
                raise fault.error from fault.__cause__
            delay = POLICY.wait(failures, fault.asked)
            if delay is None:
                raise fault.error from fault.__cause__
        line.pause(delay)
    raise AssertionError("unreachable")


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
        found=message_of(headers.get("Content-Range", "no Content-Range"), 80),
        expected=f"bytes {'N' if first is None else first}-...",
        hint="check HF_ENDPOINT and the proxy",
    )
