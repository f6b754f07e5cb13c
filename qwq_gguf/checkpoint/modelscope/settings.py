"""ModelScope as another Hub: where it is, what it lists, how one signs in.

Its API was read in its own client (https://github.com/modelscope/modelscope_hub, _legacy_api.py
and _download.py). A listing names each file's size, SHA-256 and the commit that last changed it; of
the repository it names none, so the newest of these is taken for it. What comes is held against
the listed SHA-256, as from any Hub.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from qwq_gguf.checkpoint.hub.settings import HubSettings, hub_settings
from qwq_gguf.errors import HubAccessError, HubError

__all__ = ["PREFIX", "ModelScopeSettings", "modelscope_settings"]

PREFIX = "modelscope:"
_DEFAULT_ENDPOINT = "https://modelscope.cn"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,1000}")


@dataclass(frozen=True, slots=True)
class ModelScopeSettings(HubSettings):
    """One ModelScope, and a cache of its own in the Hub's layout."""

    default_revision: ClassVar[str] = "master"
    endpoint_variable: ClassVar[str] = "MODELSCOPE_ENDPOINT"
    login_hint: ClassVar[str] = "MODELSCOPE_API_TOKEN in the environment (or --token)"
    tokens_page: ClassVar[str] = f"{_DEFAULT_ENDPOINT}/my/myaccesstoken"

    def called(self, repo: str) -> str:
        """What a user calls a repository."""
        return f"{PREFIX}{repo}"

    def page(self, repo: str) -> str:
        """The web page of a repository."""
        return f"{self.endpoint}/models/{repo}"

    def file_url(self, repo: str, commit: str, name: str) -> str:
        """Where a file's bytes are."""
        asked = f"Revision={quote(commit, safe='')}&FilePath={quote(name, safe='')}"
        return f"{self.endpoint}/api/v1/models/{repo}/repo?{asked}"

    def listing_url(self, repo: str, revision: str) -> str:
        """Where the API lists all files of one revision."""
        asked = f"Revision={quote(revision, safe='')}&Recursive=True"
        return f"{self.endpoint}/api/v1/models/{repo}/repo/files?{asked}"

    def own_headers(self) -> dict[str, str]:
        """Who asks, in both ways that its servers know. The Hub's token is not for them."""
        headers = {"user-agent": "qwq-gguf"}
        if self.token is not None:
            headers |= {
                "authorization": f"Bearer {self.token}",
                "cookie": f"m_session_id={self.token}",
            }
        return headers

    def listing_of(self, answer: Any, revision: str) -> Any:
        """Its listing in the form of the Hub's. TypeError, KeyError or ValueError for what is
        none.
        """
        if answer.get("Success") is False or answer.get("Code") not in (200, "200", None):
            raise ValueError(str(answer.get("Message"))[:200])
        files = [file for file in answer["Data"]["Files"] if file.get("Type") != "tree"]
        commit = revision
        if not _COMMIT.fullmatch(revision):
            commit = max((_changed(file) for file in files), default=(0, ""))[1]
        return {"sha": commit, "siblings": [_sibling(file) for file in files]}


def _changed(file: dict[str, Any]) -> tuple[int, str]:
    """When a file was last changed, and by which commit."""
    when, commit = file.get("CommittedDate"), file.get("Revision")
    known = isinstance(commit, str) and _COMMIT.fullmatch(commit)
    return (when if isinstance(when, int) else 0, commit) if known else (0, "")  # type: ignore[return-value]


def _sibling(file: dict[str, Any]) -> dict[str, Any]:
    name, size, digest = file["Path"], file.get("Size"), file.get("Sha256")
    pointer = {"lfs": {"sha256": digest, "size": size}} if digest else {}
    return {"rfilename": name, "size": size, **pointer}


def modelscope_settings(token: str | None = None) -> ModelScopeSettings:
    """The ModelScope that the environment names: MODELSCOPE_ENDPOINT, MODELSCOPE_API_TOKEN (after
    `token`), MODELSCOPE_CACHE. HubError for an endpoint that is no address.
    """
    said = os.environ.get("MODELSCOPE_ENDPOINT", "").strip().rstrip("/") or _DEFAULT_ENDPOINT
    try:
        parts = urlsplit(said)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in said or not said.isascii() or not said.isprintable():
        raise HubError(
            "MODELSCOPE_ENDPOINT is not the address of a server",
            expected=f"an address such as {_DEFAULT_ENDPOINT}",
        )
    token = token or os.environ.get("MODELSCOPE_API_TOKEN", "").strip() or None
    if token is not None and not _TOKEN.fullmatch(token):
        raise HubAccessError(
            "the token is not a token",
            expected="printable characters without spaces",
            hint=f"copy it again from {ModelScopeSettings.tokens_page}",
        )
    return ModelScopeSettings(said, _cache(), hub_settings().offline, token)


def _cache() -> Path:
    named = os.environ.get("MODELSCOPE_CACHE", "")
    if named:
        return Path(os.path.expandvars(named)).expanduser().absolute() / "qwq-gguf"
    caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().absolute()
    return caches / "modelscope" / "qwq-gguf"
