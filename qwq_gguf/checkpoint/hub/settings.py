"""Where the Hub is and what of it is kept here, read from the environment when asked.

The variables are those of huggingface_hub, which reads them once, when it is imported:
https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
"""

from __future__ import annotations

import os
import re
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote_to_bytes, urlsplit

from qwq_gguf.errors import HubAccessError, HubError

__all__ = ["DEFAULT_ENDPOINT", "HubSettings", "hub_settings"]

DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})
_TOKEN = re.compile(r"[\x21-\x7e]{1,1000}")


@dataclass(frozen=True, slots=True)
class HubSettings:
    """One Hub, and the cache folder that huggingface_hub keeps for it.

    `token` is the one that was passed; without it the client finds HF_TOKEN or what
    `hf auth login` saved. `login` is what a name and password in HF_ENDPOINT come to as a
    header of HTTP; it goes to that server in place of a token. Neither is ever shown.
    """

    endpoint: str
    cache: Path
    offline: bool = False
    token: str | None = field(default=None, repr=False)
    login: str | None = field(default=None, repr=False)

    default_revision: ClassVar[str] = "main"
    endpoint_variable: ClassVar[str] = "HF_ENDPOINT"
    login_hint: ClassVar[str] = "hf auth login (or --token, or HF_TOKEN in the environment)"
    tokens_page: ClassVar[str] = f"{DEFAULT_ENDPOINT}/settings/tokens"

    def called(self, repo: str) -> str:
        """What a user calls a repository."""
        return repo

    def own_headers(self) -> dict[str, str] | None:
        """Who asks, where the Hub's client is not to say it."""
        return None

    def listing_of(self, answer: Any, revision: str) -> Any:
        """What `listing_url` answered, as the Hub's own API has it."""
        return answer

    def page(self, repo: str) -> str:
        """The web page of a repository."""
        return f"{self.endpoint}/{repo}"

    def file_url(self, repo: str, commit: str, name: str) -> str:
        """Where a file's bytes are."""
        return f"{self.page(repo)}/resolve/{quote(commit, safe='')}/{quote(name)}"

    def listing_url(self, repo: str, revision: str) -> str:
        """Where the API describes one revision, with every file's size."""
        return f"{self.endpoint}/api/models/{repo}/revision/{quote(revision, safe='')}?blobs=true"


def _endpoint() -> tuple[str, str | None]:
    """HF_ENDPOINT without a name and password in it, else the public Hub; and what they come
    to as a header. HubError, which shows neither, when it is no address.
    """
    said = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or DEFAULT_ENDPOINT
    usable = said.isascii() and said.isprintable() and " " not in said
    endpoint, login = said, None
    try:
        parts = urlsplit(said)
        usable = usable and parts.scheme in ("http", "https") and bool(parts.hostname)
        usable = usable and parts.port != 0 and not parts.query and not parts.fragment
    except ValueError:
        usable = False
    if usable and "@" in parts.netloc:
        userinfo, _, host = parts.netloc.rpartition("@")
        name, _, password = userinfo.partition(":")
        pair = unquote_to_bytes(name) + b":" + unquote_to_bytes(password)
        login = f"Basic {b64encode(pair).decode('ascii')}"
        endpoint = parts._replace(netloc=host).geturl()
    if not usable or "@" in endpoint:
        raise HubError(
            "HF_ENDPOINT is not the address of a server",
            found=repr(re.split(r"[?#]", said.rpartition("@")[2])[0][:120]),
            expected=f"an address such as {DEFAULT_ENDPOINT}",
        )
    return endpoint, login


def hub_settings(token: str | None = None) -> HubSettings:
    """The Hub that the environment names. `token` goes before what the client finds itself."""
    if token is not None and not _TOKEN.fullmatch(token):
        raise HubAccessError(
            "the token is not a token",
            expected="printable characters without spaces, as hf_...",
            hint="copy it again from https://huggingface.co/settings/tokens",
        )
    offline = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    endpoint, login = _endpoint()
    return HubSettings(
        endpoint=endpoint,
        cache=_cache_folder(),
        offline=offline.upper() in _TRUE,
        token=token,
        login=login,
    )


def _cache_folder() -> Path:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return _expanded(os.environ[variable])
    if os.environ.get("HF_HOME"):
        return _expanded(os.environ["HF_HOME"]) / "hub"
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return _expanded(caches) / "huggingface" / "hub"


def _expanded(text: str) -> Path:
    return Path(os.path.expandvars(text)).expanduser().absolute()
