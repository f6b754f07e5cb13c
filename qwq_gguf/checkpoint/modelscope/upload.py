"""Files into a repository of ModelScope, in one commit, as its own client sends them.

https://github.com/modelscope/modelscope_hub, _legacy_api.py and _upload.py: a repository is made by
a POST of /api/v1/models; a large file is asked for by its SHA-256 (git-lfs' batch) and goes by a
PUT to where the answer says; small ones go in the commit itself. What is there already, of this
repository or of an upload that was interrupted, is not sent again.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from qwq_gguf.checkpoint.files import MIB
from qwq_gguf.checkpoint.hub.errors import offline, refused_write
from qwq_gguf.checkpoint.hub.exchange import written
from qwq_gguf.checkpoint.hub.http import get
from qwq_gguf.checkpoint.hub.snapshot import HubFile, open_snapshot
from qwq_gguf.checkpoint.modelscope.settings import ModelScopeSettings
from qwq_gguf.errors import HubError, HubNotFoundError
from qwq_gguf.json_text import parse_json
from qwq_gguf.words import message_of

__all__ = ["upload"]

_PRIVATE, _PUBLIC = 1, 5
_LARGE = MIB  # bytes, beyond which a file goes by its digest
_BRANCH = "master"
_WINDOW = 1 << 20


def upload(
    hub: ModelScopeSettings,
    repo: str,
    files: Mapping[str, bytes | Path],
    *,
    private: bool,
    license: str | None,
    message: str,
    report: Callable[[str], None],
) -> str:
    """Have `files` in the repository's branch master, made where there is none; the commit.

    `report` is told each file's name before it goes. HubError in one of its kinds, also where it
    is to be private and is there as anything else.
    """
    if hub.offline:
        raise offline(hub, repo, _BRANCH)
    _have(hub, repo, private=private, license=license)
    there = open_snapshot(hub, repo).files
    actions = []
    for name, content in files.items():
        digest, size = _digest(content), _size(content)
        if _is_same(there.get(name), digest, size):
            continue
        report(name)
        if size <= _LARGE and not name.endswith(".gguf"):
            small = content if isinstance(content, bytes) else content.read_bytes()
            actions.append(_action(name, "normal", size, content=small))
        else:
            _send(hub, repo, name, content, digest, size)
            actions.append(_action(name, "lfs", size, sha256=digest))
    if actions:
        body = {"commit_message": message, "actions": actions}
        _post(hub, repo, f"repos/models/{repo}/commit/{_BRANCH}", body)
    return open_snapshot(hub, repo).commit


def _have(hub: ModelScopeSettings, repo: str, *, private: bool, license: str | None) -> None:
    url = f"{hub.endpoint}/api/v1/models/{repo}"
    try:
        answer = get(hub, url, limit=MIB, repo=repo, revision=_BRANCH)
    except HubNotFoundError:
        owner, _, name = repo.partition("/")
        asked = {
            "Path": owner,
            "Name": name,
            "Visibility": _PRIVATE if private else _PUBLIC,
            "License": license or "other",
        }
        _post(hub, repo, "models", asked)
        return
    try:
        seen = parse_json(answer.content)["Data"]["Visibility"]
    except (ValueError, KeyError, TypeError):
        seen = None
    if private and seen != _PRIVATE:
        raise HubError(
            "this repository is there already, and is not private",
            path=repo,
            found="public" if seen == _PUBLIC else f"visibility {message_of(str(seen), 20)}",
            expected="private",
            hint="make it private in its settings, or name another one",
        )


def _send(
    hub: ModelScopeSettings, repo: str, name: str, content: bytes | Path, digest: str, size: int
) -> None:
    asked = {"operation": "upload", "objects": [{"oid": digest, "size": size}]}
    answer = _post(hub, repo, f"repos/models/{repo}/info/lfs/objects/batch", asked)
    try:
        (told,) = answer["objects"]
        href = told.get("actions", {}).get("upload", {}).get("href")
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise HubError(
            "ModelScope does not say where this file is to go", path=f"{repo}/{name}"
        ) from problem
    if href is None:  # it has these bytes
        return
    ours = f"{hub.endpoint.partition('://')[0]}://"
    if not isinstance(href, str) or not href.startswith(("https://", ours)):
        raise HubError(
            "ModelScope leads to what is no address", path=repo, found=message_of(str(href), 80)
        )
    status, said = written(hub, "PUT", href, _chunks(content), size)
    _checked(hub, repo, status, said, name)


def _post(hub: ModelScopeSettings, repo: str, place: str, body: Mapping[str, Any]) -> Any:
    content = json.dumps(body).encode()
    url = f"{hub.endpoint}/api/v1/{place}"
    status, said = written(hub, "POST", url, content, len(content))
    return _checked(hub, repo, status, said, None)


def _checked(hub: ModelScopeSettings, repo: str, status: int, said: bytes, file: str | None) -> Any:
    """What an answer holds. HubError for one that refuses, by its status or in its words."""
    try:
        answer = parse_json(said)
    except ValueError:  # a storage says nothing
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    words = message_of(str(answer.get("Message") or answer.get("message") or ""))
    if not 200 <= status < 300:
        raise refused_write(hub, status, {"X-Error-Message": words}, repo, file, words)
    if answer.get("Code") not in (200, "200", None) or answer.get("Success") is False:
        raise HubError("ModelScope refuses this upload", path=file or repo, found=words or None)
    return answer.get("Data", answer)


def _action(
    name: str, kind: str, size: int, *, content: bytes = b"", sha256: str = ""
) -> dict[str, Any]:
    return {
        "action": "create",
        "path": name,
        "type": kind,
        "size": size,
        "sha256": sha256,
        "content": base64.b64encode(content).decode("ascii"),
        "encoding": "base64" if kind == "normal" else "",
    }


def _is_same(listed: HubFile | None, digest: str, size: int) -> bool:
    return listed is not None and listed.sha256 == digest and listed.size == size


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _digest(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(_WINDOW):
            yield chunk
