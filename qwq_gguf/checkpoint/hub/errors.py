"""What the Hub refuses or the network breaks, as sentences with the next thing to try.

The Hub tells refusals apart by the header X-Error-Code: a repository that is private and
one that is not there look the same to a stranger, on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from qwq_gguf.checkpoint.hub.settings import HubSettings
from qwq_gguf.errors import (
    HubAccessError,
    HubConnectionError,
    HubError,
    HubNotFoundError,
    HubOfflineError,
)
from qwq_gguf.words import message_of

__all__ = ["failed_upload", "offline", "refusal", "refused_write", "unreachable"]

# Classes of httpx and httpx2, told apart by name so that neither has to be imported.
_BROKEN_OFF = frozenset({"BrokenAnswer", "ReadError", "RemoteProtocolError", "WriteError"})


def refusal(
    hub: HubSettings,
    status: int,
    headers: Mapping[str, str],
    *,
    repo: str,
    revision: str,
    file: str | None = None,
    signed_in: bool = False,
) -> HubError:
    """The error for an answer of 400 and above. `headers` finds names in any case."""
    page, login = hub.page(repo), hub.login_hint
    code = headers.get("X-Error-Code", "")
    said = message_of(headers.get("X-Error-Message", ""))
    if code == "GatedRepo":
        who = "the account of your token" if signed_in else "your account"
        then = "" if signed_in else f", then {login}"
        return HubAccessError(
            "this repository is gated: its authors give access on request",
            path=repo,
            found=said or None,
            hint=f"open {page} in a browser, ask for access with {who}{then}",
        )
    if code == "RevisionNotFound":
        return HubNotFoundError(
            "there is no such revision",
            path=repo,
            found=revision,
            hint=f"see the branches at {page}/tree/main",
        )
    if code == "EntryNotFound" or (status == 404 and file is not None and not code):
        return HubNotFoundError(
            "there is no such file", path=repo, found=file, hint=f"see {page}/tree/{revision}"
        )
    if "disabled" in said.lower():
        return HubAccessError("this repository has been disabled", path=repo, found=said)
    if status == 401 and "invalid" in said.lower() and signed_in:
        return HubAccessError(
            "the Hub does not accept this token",
            path=repo,
            found=said,
            hint=f"{login}, with a new token from {hub.tokens_page}",
        )
    if code == "RepoNotFound" or status in (401, 404):
        private = "that this token may read it" if signed_in else login
        return HubNotFoundError(
            "there is no such repository on the Hub, or it is private",
            path=repo,
            found=said or None,
            hint=f"check the name at {page}; if it is private: {private}",
        )
    if status == 403:
        return HubAccessError(
            "the Hub forbids this",
            path=repo,
            found=said or None,
            hint=f"check what your token may do at {hub.tokens_page}",
        )
    if status == 429 or status >= 500:
        wait = headers.get("Retry-After", "")
        return HubConnectionError(
            f"the Hub cannot serve this now (it answered {status})",
            path=file or repo,
            found=said or None,
            hint=f"try again in {wait[:20]} seconds"
            if wait.isascii() and wait.isdigit()
            else "try again later",
        )
    return HubError(f"the Hub answered {status}", path=file or repo, found=said or None)


def failed_upload(
    hub: HubSettings,
    repo: str,
    file: str | None,
    problem: Exception,
    refused: type[Exception],
    broken: tuple[type[BaseException], ...],
) -> HubError:
    """The error for what the client raised in an upload; `refused` are its errors that have an
    answer, `broken` those of a connection.
    """
    for link in _chain(problem):
        if isinstance(link, refused):
            answer: Any = getattr(link, "response")  # noqa: B009 - of a class not known here
            return refused_write(hub, answer.status_code, answer.headers, repo, file, str(link))
        if isinstance(link, broken):
            return unreachable(hub, link)
    return HubError("the upload failed", path=file or repo, found=message_of(str(problem)))


def refused_write(
    hub: HubSettings,
    status: int,
    headers: Mapping[str, str],
    repo: str,
    file: str | None,
    said: str,
) -> HubError:
    """The error for an upload that was refused."""
    if status in (401, 403, 404):
        return HubAccessError(
            "the Hub does not let you write there",
            path=repo,
            found=message_of(headers.get("X-Error-Message", "")) or f"it answered {status}",
            expected=f"a token that may write for {repo.partition('/')[0]}",
            hint=f"{hub.login_hint}, with a token from {hub.tokens_page} that may write",
        )
    if status == 429 or status >= 500:
        return refusal(hub, status, headers, repo=repo, revision="main", file=file)
    return HubError(
        f"the Hub refuses this upload (it answered {status})",
        path=file or repo,
        found=message_of(headers.get("X-Error-Message", "") or said) or None,
    )


def unreachable(
    hub: HubSettings, problem: BaseException, *, late: bool = False
) -> HubConnectionError:
    """No connection, no answer in time (`late`: we hung up for that), or one that broke off."""
    names = {type(link).__name__ for link in _chain(problem)}
    if late or any("Timeout" in name for name in names):
        message = "the Hub does not answer in time"
    elif names & _BROKEN_OFF:
        message = "the connection to the Hub broke off"
    else:
        message = "the Hub cannot be reached"
    return HubConnectionError(
        message,
        path=hub.endpoint,
        found=None if late else message_of(str(problem)) or type(problem).__name__,
        hint=f"check the connection (and {hub.endpoint_variable} and proxies, if you set them)",
    )


def offline(hub: HubSettings, repo: str, revision: str) -> HubOfflineError:
    """Needed from the Hub while nothing may be asked."""
    return HubOfflineError(
        f"not all of {revision} is in the cache, and HF_HUB_OFFLINE is set",
        path=repo,
        expected=f"a download in {hub.cache}",
        hint="unset HF_HUB_OFFLINE and try again",
    )


def _chain(problem: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = problem
    for _ in range(10):
        if link is None:
            return
        yield link
        link = link.__cause__
