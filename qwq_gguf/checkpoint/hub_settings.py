"""Where the Hub is and what of it is kept here, read from the environment when asked.

The variables are those of huggingface_hub, which reads them once, when it is imported:
https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from qwq_gguf.errors import HubAccessError, HubError

__all__ = ["DEFAULT_ENDPOINT", "HubSettings", "hub_endpoint", "hub_settings"]

DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})
_TOKEN = re.compile(r"[\x21-\x7e]{1,1000}")


@dataclass(frozen=True, slots=True)
class HubSettings:
    """One Hub, and the cache folder that huggingface_hub keeps for it.

    `token` is the one that was passed; without it the client finds HF_TOKEN or what
    `hf auth login` saved. It is never shown.
    """

    endpoint: str
    cache: Path
    offline: bool = False
    token: str | None = field(default=None, repr=False)

    def page(self, repo: str) -> str:
        """The web page of a repository."""
        return f"{self.endpoint}/{repo}"

    def file_url(self, repo: str, commit: str, name: str) -> str:
        """Where a file's bytes are."""
        return f"{self.page(repo)}/resolve/{quote(commit, safe='')}/{quote(name)}"

    def listing_url(self, repo: str, revision: str) -> str:
        """Where the API describes one revision, with every file's size."""
        return f"{self.endpoint}/api/models/{repo}/revision/{quote(revision, safe='')}?blobs=true"


def hub_endpoint() -> str:
    """HF_ENDPOINT, else the public Hub; HubError when it is no address."""
    endpoint = os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or DEFAULT_ENDPOINT
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise HubError(
            "HF_ENDPOINT is not the address of a server",
            found=repr(endpoint[:120]),
            expected=f"an address such as {DEFAULT_ENDPOINT}",
        )
    return endpoint


def hub_settings(token: str | None = None) -> HubSettings:
    """The Hub that the environment names. `token` goes before what the client finds itself."""
    if token is not None and not _TOKEN.fullmatch(token):
        raise HubAccessError(
            "the token is not a token",
            expected="printable characters without spaces, as hf_...",
            hint="copy it again from https://huggingface.co/settings/tokens",
        )
    offline = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return HubSettings(
        endpoint=hub_endpoint(),
        cache=_cache_folder(),
        offline=offline.upper() in _TRUE,
        token=token,
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
