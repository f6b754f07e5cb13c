"""Where a redirect of the Hub leads, and what may go along. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from qwq_gguf.checkpoint.hub.settings import DEFAULT_ENDPOINT, HubSettings
from qwq_gguf.errors import HubError
from qwq_gguf.words import message_of

__all__ = ["Hop", "next_hop", "no_address"]

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Hop:
    """The next address. `leaves`: it is another server's, which must not see the token."""

    url: str
    leaves: bool


def next_hop(hub: HubSettings, url: str, location: str, *, may_leave: bool) -> Hop:
    """Where `location`, in the answer for `url`, leads. HubError when it leads to no server,
    or to another one where the answer has to come from this.
    """
    try:
        target = urlsplit(urljoin(url, location))
        usable = target.scheme in _PORTS and bool(target.hostname) and target.port != 0
        # A name and a password in it would be sent along.
        host = target.netloc.rpartition("@")[2]
    except ValueError:
        usable = False
    if not usable or not location.isprintable():
        raise no_address(hub, location)
    leaves = not _same_server(urlsplit(url), target)
    if leaves and not may_leave:
        other = message_of(f"{target.scheme}://{host}")
        mirror = hub.endpoint != DEFAULT_ENDPOINT
        raise HubError(
            "this server is no Hub: it only leads to another one",
            path=hub.endpoint,
            found=other,
            expected="its own list of the repository's files",
            hint=f"unset {hub.endpoint_variable}, or {hub.endpoint_variable}={other} if you trust "
            "that one"
            if mirror
            else "check the connection and the proxy: they may want a login first",
        )
    return Hop(target._replace(netloc=host).geturl(), leaves)


def no_address(hub: HubSettings, location: str) -> HubError:
    """The error for a redirect to nowhere."""
    return HubError(
        "the Hub leads to what is no address",
        path=hub.endpoint,
        found=message_of(location),
        hint=f"check {hub.endpoint_variable} and the proxy",
    )


def _same_server(one: SplitResult, other: SplitResult) -> bool:
    """Whether both are one server, or the second is the same with encryption."""
    upgraded = (
        one.scheme == "http"
        and other.scheme == "https"
        and _port(one) == _PORTS["http"]
        and _port(other) == _PORTS["https"]
    )
    same = one.scheme == other.scheme and _port(one) == _port(other)
    return one.hostname == other.hostname and (same or upgraded)


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
