"""Who may ask: by host, by origin, by key. Pure.

A server on this machine's loopback is reached by every web page that its user opens: a page's
own name may be made to lead here (DNS rebinding), and a page may send requests whose answers it
cannot read. So a request has to name a host that we are, and a page has to be ours, or be
named when the server is started.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass

from qwq_gguf.serve.refusal import Refusal

__all__ = ["Access", "digest_of", "is_loopback", "origins_of"]

_LOCAL = "localhost"
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?", re.ASCII)
_ORIGIN = re.compile(r"https?://([a-z0-9._-]+(?::\d{1,5})?|\[[0-9a-f:.]+\](?::\d{1,5})?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in.

    `bound` is the address that is listened on, `hosts` are further names it is called by,
    `origins` the pages that may ask besides its own, `keys` digests of the keys of which one
    has to be shown; none: nobody has to.
    """

    bound: str = "127.0.0.1"
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    keys: tuple[bytes, ...] = ()

    def check_host(self, host: str | None) -> None:
        """Refusal unless the request's Host is one of ours.

        An address is one where others are let in, too: only names can be made to lead here.
        """
        name = _name_of(host or "")
        if name and (name in self.hosts or name == self.bound.lower()):
            return
        local = name == _LOCAL or is_loopback(name)
        if local or (not is_loopback(self.bound) and _address(name) is not None):
            return
        raise Refusal(
            "this server does not go by that name: start it with --allow-host to let it",
            status=403,
            code="host_not_allowed",
        )

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Refusal of a page that is neither ours nor named."""
        if origin is None or self.shares_with(origin):
            return
        parts = _split(origin)
        if parts is not None and host is not None and parts == host.lower():
            return
        raise _other_page()

    def check_site(self, site: str | None, origin: str | None) -> None:
        """Refusal of what a page of another origin asks without saying which it is, as for a
        picture: what it asks for is done, if it cannot read the answer. `site` is Sec-Fetch-Site.
        """
        if site in (None, "same-origin", "none") or self.shares_with(origin):
            return
        raise _other_page()

    def shares_with(self, origin: str | None) -> bool:
        """Whether pages of this origin were named, so that they may read answers."""
        return origin is not None and origin.lower() in self.origins

    def check_key(self, authorization: str | None, api_key: str | None) -> None:
        """Refusal without one of the keys, as OpenAI's clients show it or as Anthropic's do."""
        if not self.keys:
            return
        shown = api_key or ""
        scheme, _, bearer = (authorization or "").partition(" ")
        if scheme.lower() == "bearer":
            shown = bearer.strip()
        digest = digest_of(shown)
        # All of them, so that time tells nothing.
        if not sum(hmac.compare_digest(digest, key) for key in self.keys):
            raise Refusal(
                "a key is needed, and this is none" if shown else "a key is needed",
                status=401,
                code="invalid_api_key",
            )


def digest_of(key: str) -> bytes:
    """What is kept of a key: all digests are of one length, and compared in the same time."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach this address."""
    address = _address(host)
    return host == _LOCAL if address is None else address.is_loopback


def _other_page() -> Refusal:
    return Refusal(
        "pages of this origin may not ask: start the server with --cors ORIGIN to let them",
        status=403,
        code="origin_not_allowed",
    )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _name_of(host: str) -> str:
    """A Host header without its port."""
    found = _HOST.fullmatch(host.lower())
    return "" if found is None else (found[1] or found[2])


def _split(origin: str) -> str | None:
    """Host and port of an origin as browsers send it."""
    found = _ORIGIN.fullmatch(origin.lower())
    return None if found is None else found[1]


def origins_of(given: Collection[str]) -> frozenset[str]:
    """Origins as browsers send them. ValueError for what is none."""
    for origin in given:
        if _split(origin) is None:
            raise ValueError(origin)
    return frozenset(origin.lower() for origin in given)
