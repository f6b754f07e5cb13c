"""All that huggingface_hub does here: its session for one GET and its redirects, and uploads.

The session brings its proxies and certificates. Redirects are followed here: without their
bodies, and without the token when they lead to another server. No cookie is kept or sent: a
damaged one would end every later request.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from qwq_gguf.checkpoint.hub.errors import failed_upload, offline, refusal, unreachable
from qwq_gguf.checkpoint.hub.redirect import next_hop, no_address
from qwq_gguf.checkpoint.hub.retry import RETRIED, asked_wait
from qwq_gguf.checkpoint.hub.settings import HubSettings
from qwq_gguf.deadline import Deadline
from qwq_gguf.errors import HubAccessError, HubError
from qwq_gguf.version import __version__
from qwq_gguf.words import message_of

__all__ = ["BrokenAnswer", "PassingFault", "Uploads", "answered", "written"]

_HOPS = 5
_WRITING, _MOST_SAID = 300.0, 1 << 20  # seconds without a byte; bytes of an answer
# Compressed, the bytes of a range would not be those of the file; and a connection that is not
# kept for another request is one whose socket a deadline knows.
_AS_IT_IS = {"accept": "*/*", "accept-encoding": "identity", "connection": "close"}
_SECRETS = ("authorization", "cookie")
_REDIRECTS = (301, 302, 303, 307, 308)


class BrokenAnswer(Exception):
    """An answer that ended before its time."""


class PassingFault(Exception):
    """What may go better another time: the error it is else, and the wait that was asked for."""

    def __init__(self, error: HubError, asked: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.asked = asked


def _has_token(headers: Mapping[str, str]) -> bool:
    return headers.get("authorization", "").startswith("Bearer ")


def _headers(hub: HubSettings) -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers

    own = hub.own_headers()
    if own is not None:
        return {**own, **_AS_IT_IS}
    try:
        built = build_hf_headers(
            token=hub.token, library_name="qwq-gguf", library_version=__version__
        )
    except Exception as problem:  # it may read files and even ask a server for a new token
        raise HubAccessError(
            "the saved token cannot be read",
            found=message_of(f"{type(problem).__name__}: {problem}"),
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
    return {**headers, **_AS_IT_IS}


@contextmanager
def answered(
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
                    found=message_of(said["Content-Encoding"], 40),
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
            headers = {name: value for name, value in headers.items() if name not in _SECRETS}
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
    # Not by the session's own methods, which would put its cookies in.
    kind = type(session.build_request("GET", "http://client.invalid/"))
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), silence)
    extensions = {"timeout": timeouts, "trace": traced}
    try:
        request = kind("GET", url, headers=headers, extensions=extensions)
    except Exception as problem:  # of httpx or httpx2
        raise no_address(hub, str(problem)) from problem
    try:
        response = session.send(request, stream=True, follow_redirects=False)
    except UnicodeError as problem:  # a host that cannot be looked up
        raise no_address(hub, str(problem)) from problem
    try:
        for cookie in response.cookies.jar:
            with suppress(KeyError):
                session.cookies.jar.clear(cookie.domain, cookie.path, cookie.name)
        yield response
    finally:
        response.close()


def _socket(stream: Any) -> socket.socket | None:
    found = None if stream is None else stream.get_extra_info("socket")
    return found if isinstance(found, socket.socket) else None


def written(
    hub: HubSettings, method: str, url: str, content: bytes | Iterator[bytes], size: int
) -> tuple[int, bytes]:
    """One request that writes `size` bytes, by no redirect; its status and the start of its answer.

    Who asks is said to the hub's own server and to those below its name.
    """
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.utils import get_session

    broken: tuple[type[BaseException], ...] = HfHubHTTPError.__bases__
    home, there = urlsplit(hub.endpoint), urlsplit(url)
    below = f".{there.hostname}".endswith(f".{home.hostname}")
    own = below and (there.scheme, there.port) == (home.scheme, home.port)
    headers = {name: value for name, value in _headers(hub).items() if own or name not in _SECRETS}
    headers |= {"content-length": str(size), "content-type": "application/json"}
    session = get_session()
    kind = type(session.build_request("GET", "http://client.invalid/"))
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _WRITING)
    try:
        request = kind(
            method, url, headers=headers, content=content, extensions={"timeout": timeouts}
        )
        response = session.send(request, stream=True, follow_redirects=False)
        with closing(response):
            return response.status_code, next(response.iter_raw(_MOST_SAID), b"")
    except broken as problem:
        raise unreachable(hub, problem) from problem


class Uploads:
    """What the Hub's client does to fill a repository: by Xet where it is installed, else by LFS.

    Each call is one exchange, or many retried by the client. What the Hub has already, of this
    repository or of an upload that was interrupted, is not sent again. HubError in one of its
    kinds for whatever the client raises.
    """

    def __init__(self, hub: HubSettings, repo: str, *, bars: bool = False) -> None:
        """`bars`: the client may show its own, on stderr."""
        from huggingface_hub import HfApi

        login = {} if hub.login is None else {"authorization": hub.login}
        self._hub, self._repo, self._bars = hub, repo, bars
        self._api = HfApi(
            endpoint=hub.endpoint,
            token=hub.token,
            library_name="qwq-gguf",
            library_version=__version__,
            headers=login,
        )
        self._made: list[Any] = []

    def create(self, *, private: bool) -> bool:
        """Have the repository there, as a private one if it is new; whether it is private."""
        with self._asked():
            self._api.create_repo(self._repo, private=private, exist_ok=True)
            return bool(self._api.repo_info(self._repo).private)

    def send(self, name: str, content: bytes | Path) -> None:
        """Have a file's bytes there; nobody sees it before `commit`."""
        from huggingface_hub import CommitOperationAdd

        with self._asked(name):
            self._made.append(CommitOperationAdd(path_in_repo=name, path_or_fileobj=content))
            self._api.preupload_lfs_files(self._repo, self._made[-1:], free_memory=False)

    def commit(self, message: str) -> str:
        """All that was sent, as one commit of main; its hash."""
        with self._asked():
            made = self._api.create_commit(self._repo, self._made, commit_message=message)
            return str(made.oid)

    @contextmanager
    def _asked(self, file: str | None = None) -> Iterator[None]:
        import warnings

        from huggingface_hub import utils
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        quiet = not self._bars and not utils.are_progress_bars_disabled()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the card, for those who write it by hand
            if quiet:
                utils.disable_progress_bars()
            try:
                yield
            except OfflineModeIsEnabled as problem:
                raise offline(self._hub, self._repo, "main") from problem
            except Exception as problem:
                kinds = (HfHubHTTPError, HfHubHTTPError.__bases__)
                raise failed_upload(self._hub, self._repo, file, problem, *kinds) from problem
            finally:
                if quiet:
                    utils.enable_progress_bars()
