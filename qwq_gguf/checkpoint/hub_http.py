"""Bounded requests to the Hub, through the session of huggingface_hub.

The session brings its proxies, its certificates and its headers; what is here adds what
reading from strangers needs: never more bytes than asked for, a limit on time, and few,
short retries. The session drops the token where the Hub redirects to another host.

Retried, up to three times after 1, 2 and 4 seconds or what Retry-After says (30 at most):
no connection, no answer, an answer that breaks off, and 408, 429, 500, 502, 503, 504.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qwq_gguf.checkpoint.hub_errors import offline, refusal, unreachable
from qwq_gguf.checkpoint.hub_settings import HubSettings
from qwq_gguf.errors import HubAccessError, HubConnectionError, HubError

__all__ = ["Answer", "get", "get_start", "signed_in"]

WAITS = (1.0, 2.0, 4.0)  # seconds before the second, third and fourth try
LONGEST_WAIT = 30.0  # a server that asks for more is reported instead
TIMEOUT = 10.0  # seconds without a byte, as huggingface_hub's own default
PATIENCE = 120.0  # seconds for one whole answer; what is asked for here is small
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})


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


class BrokenAnswer(Exception):
    """An answer that ended before its time."""


def _retried(
    hub: HubSettings,
    url: str,
    count: int,
    extra: Mapping[str, str],
    repo: str,
    revision: str,
    file: str | None,
) -> Answer:
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    # Compressed, the bytes of a range would not be those of the file.
    headers = {**_headers(hub), "Accept-Encoding": "identity", **extra}
    # httpx.HTTPError in versions 1 of the client, that of httpx2 in versions 2; and OSError.
    broken: tuple[type[BaseException], ...] = (*HfHubHTTPError.__bases__, BrokenAnswer)
    for wait in (*WAITS, None):
        delay = wait
        try:
            status, answer = _once(url, headers, count, file or repo)
        except OfflineModeIsEnabled as problem:
            raise offline(hub, repo, revision) from problem
        except broken as problem:
            error: HubError = unreachable(hub, problem)
            error.__cause__ = problem
        else:
            if status < 400:
                return answer
            error = refusal(
                hub,
                status,
                answer.headers,
                repo=repo,
                revision=revision,
                file=file,
                signed_in="authorization" in headers,
            )
            if status not in _RETRIED:
                raise error
            delay = _wished(answer.headers, wait)
        if wait is None or delay is None or delay > LONGEST_WAIT:
            raise error
        time.sleep(delay)
    raise AssertionError("unreachable")


def _wished(headers: Mapping[str, str], wait: float | None) -> float | None:
    said = headers.get("Retry-After", "").strip()
    return float(said) if said.isdigit() and len(said) < 10 else wait


def _once(url: str, headers: Mapping[str, str], count: int, what: str) -> tuple[int, Answer]:
    from huggingface_hub.utils import get_session

    # The client's headers are duck-typed: find("X-Y") in any case, on every version.
    with get_session().stream(
        "GET", url, headers=dict(headers), timeout=TIMEOUT, follow_redirects=True
    ) as response:
        said = response.headers
        if response.status_code == 416:  # no byte 0: the file is empty
            return 206, Answer(b"", 0, said)
        if response.status_code >= 400:
            return response.status_code, Answer(b"", None, said)
        if response.status_code not in (200, 206):
            raise HubError(f"the Hub answered {response.status_code}", path=what)
        if said.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise HubError(
                "the Hub compresses what was asked for as it is",
                path=what,
                found=said["Content-Encoding"][:40],
                hint="check HF_ENDPOINT and the proxy",
            )
        size = _size(response.status_code, said, what)
        expected = count if size is None else min(count, size)
        content = _read(response.iter_raw, expected, what)
        if size is not None and len(content) < expected:
            raise BrokenAnswer(f"the answer ended after {len(content)} of {expected} bytes")
        return response.status_code, Answer(content, size, said)


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


def _size(status: int, headers: Mapping[str, str], what: str) -> int | None:
    """The size of the whole file, from the answer to a request for its start."""
    if status == 200:
        text = headers.get("Content-Length", "")
        return int(text) if text.isdigit() and len(text) < 20 else None
    # bytes 0-65535/4932308
    kind, _, rest = headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    if kind != "bytes" or not span.startswith("0-") or not (total.isdigit() and len(total) < 20):
        raise HubConnectionError(
            "the Hub sends another part of the file than was asked for",
            path=what,
            found=headers.get("Content-Range", "no Content-Range")[:80],
            expected="bytes 0-...",
            hint="check HF_ENDPOINT and the proxy",
        )
    return int(total)
