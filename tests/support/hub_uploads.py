"""What the Hub's client asks for when it fills a repository, without Xet: LFS and a commit.

As on the real one, only the owner's token may write; large files go to the storage by their
digest, which remembers them between two tries.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.hub import LoopbackHub

__all__ = ["answer_upload"]

Written = tuple[int, Any, dict[str, str]]
_LARGE = (".gguf", ".safetensors")


def answer_upload(
    hub: LoopbackHub, method: str, path: str, token: str | None, body: bytes
) -> Written | None:
    """Status, JSON and headers for a request that writes; None for one that only reads."""
    line, _, _ = path.partition("?")
    if method == "PUT" and (put := re.fullmatch(r"/upload/([0-9a-f]{64})", line)):
        if hashlib.sha256(body).hexdigest() != put[1]:
            return 400, {}, {}
        hub.stored[put[1]] = body
        return 200, {}, {}
    if line.startswith("/api/v1/") and (method == "POST" or line.count("/") == 5):
        return _modelscope(hub, method, line.removeprefix("/api/v1/"), token, body)
    if method == "GET" and (info := re.fullmatch(r"/api/models/([^/]+/[^/]+)", line)):
        return _info(hub, info[1], token)
    if method != "POST":
        return None
    if line == "/api/validate-yaml":
        return 200, {"warnings": [], "errors": []}, {}
    if token != hub.good_token:
        error = {"X-Error-Message": "Invalid username or password."}
        return 401 if token is None else 403, {"error": "no"}, error
    if line == "/api/repos/create":
        return _create(hub, json.loads(body))
    repo = re.match(r"/(?:api/models/)?([^/]+/[^/]+?)(?:\.git)?/(preupload|commit|info)/", line)
    if repo is None or repo[1] not in hub.repositories:
        return 404, {"error": "none"}, {"X-Error-Code": "RepoNotFound"}
    match repo[2]:
        case "preupload":
            return _preupload(hub, repo[1], json.loads(body))
        case "info":
            return _batch(hub, json.loads(body))
    return _commit(hub, repo[1], [json.loads(row) for row in body.splitlines()])


def _modelscope(
    hub: LoopbackHub, method: str, place: str, token: str | None, body: bytes
) -> Written | None:
    """ModelScope's writing API, as its own client uses it, and what it says of a repository."""
    if method == "GET":
        repository = hub.repositories.get(place.removeprefix("models/"))
        if repository is None or (repository.private and token != "ms_good"):
            return 404, {"Code": 10010205001, "Message": "not found"}, {}
        return 200, {"Code": 200, "Data": {"Visibility": 1 if repository.private else 5}}, {}
    if token != "ms_good":
        return 401, {"Code": 401, "Message": "please login", "Success": False}, {}
    asked = json.loads(body)
    if place == "models":
        repo = f"{asked['Path']}/{asked['Name']}"
        hub.add(repo, {".gitattributes": b""}, private=asked["Visibility"] == 1)
        return 200, {"Code": 200, "Data": {}}, {}
    found = re.fullmatch(
        r"repos/models/([^/]+/[^/]+)/(info/lfs/objects/batch|commit/master)", place
    )
    if found is None:
        return 404, {"Code": 404}, {}
    if found[2] != "commit/master":
        status, answer, headers = _batch(hub, asked)
        return status, {"Code": 200, "Data": answer}, headers
    files = dict(hub.repositories[found[1]].commits[_head(hub, found[1])])
    for action in asked["actions"]:
        content = base64.b64decode(action["content"])
        files[action["path"]] = hub.stored[action["sha256"]] if action["sha256"] else content
    hub.add(found[1], files, private=hub.repositories[found[1]].private)
    return 200, {"Code": 200, "Data": {}}, {}


def _info(hub: LoopbackHub, repo: str, token: str | None) -> Written:
    repository = hub.repositories.get(repo)
    if repository is None or (repository.private and token != hub.good_token):
        return 404, {"error": "none"}, {"X-Error-Code": "RepoNotFound"}
    return 200, {"id": repo, "private": repository.private, "sha": _head(hub, repo)}, {}


def _create(hub: LoopbackHub, asked: dict[str, Any]) -> Written:
    repo = f"{asked['organization']}/{asked['name']}"
    url = {"url": f"{hub.url}/{repo}"}
    if repo in hub.repositories:
        return 409, url, {}
    private = asked.get("visibility") == "private" or asked.get("private") is True
    hub.add(repo, {".gitattributes": b""}, private=private)
    return 200, url, {}


def _preupload(hub: LoopbackHub, repo: str, asked: dict[str, Any]) -> Written:
    there = hub.repositories[repo].commits[_head(hub, repo)]

    def told(name: str) -> dict[str, Any]:
        mode = "lfs" if name.endswith(_LARGE) else "regular"
        content = there.get(name)
        oid = None if content is None else _oid(content, mode)
        return {"path": name, "uploadMode": mode, "shouldIgnore": False, "oid": oid}

    return 200, {"files": [told(file["path"]) for file in asked["files"]]}, {}


def _batch(hub: LoopbackHub, asked: dict[str, Any]) -> Written:
    def told(oid: str, size: int) -> dict[str, Any]:
        known: dict[str, Any] = {"oid": oid, "size": size}
        if oid in hub.stored:
            return known
        return known | {"actions": {"upload": {"href": f"{hub.storage_url}/upload/{oid}"}}}

    objects = [told(each["oid"], each["size"]) for each in asked["objects"]]
    return 200, {"transfer": "basic", "objects": objects}, {}


def _commit(hub: LoopbackHub, repo: str, rows: list[dict[str, Any]]) -> Written:
    files = dict(hub.repositories[repo].commits[_head(hub, repo)])
    for row in rows:
        value = row["value"]
        match row["key"]:
            case "file":
                files[value["path"]] = base64.b64decode(value["content"])
            case "lfsFile":
                files[value["path"]] = hub.stored[value["oid"]]
    commit = hub.add(repo, files, private=hub.repositories[repo].private)
    return 200, {"commitUrl": f"{hub.url}/{repo}/commit/{commit}", "commitOid": commit}, {}


def _head(hub: LoopbackHub, repo: str) -> str:
    return hub.repositories[repo].branches["main"]


def _oid(content: bytes | Path, mode: str) -> str:
    data = content if isinstance(content, bytes) else content.read_bytes()
    if mode == "lfs":
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
