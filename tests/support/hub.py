"""A small Hub on loopback: what huggingface_hub asks for, over real HTTP.

    with LoopbackHub() as hub:
        commit = hub.add("org/name", {"config.json": b"{}", "model.safetensors": path})
        hub.faults.append(Fault("GET .*/resolve/.*safetensors", status=503, times=2))

As on the real one, large files (`.safetensors`, `.gguf`) are redirected to a second host,
the storage, which must never see a token. Every request is kept in `requests`.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from support.hub_uploads import answer_upload
from support.modelscope import Asked, asked_of_modelscope, modelscope_listing

__all__ = ["Fault", "LoopbackHub", "Request"]

Content = bytes | Path
_LARGE = (".safetensors", ".gguf")


@dataclass(frozen=True)
class Request:
    """`span` is the Range header, `host` "hub" or "storage"."""

    host: str
    method: str
    path: str
    span: str | None
    token: str | None

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


@dataclass
class Fault:
    """Misbehaviour for requests whose `METHOD path` matches, `times` times (None: always).

    `status` answers with that. `headers` are in any answer, in place of its own of those
    names. `raw` takes the connection and says whatever it likes. The rest bends an answer
    that is right:
    `cut_after` closes the connection after so many bytes of the body, `ignore_range` sends
    the whole file with 200, `shift` starts the range elsewhere, `say_total` lies about the
    file's size, `encoding` claims one, `body` replaces the content, `delay` waits first.
    `stall_after` so many bytes it sends no more for `stall` seconds, then goes on; `pad`
    sends so many bytes too many, without having said a length.
    """

    matching: str
    times: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    ignore_range: bool = False
    shift: int = 0
    say_total: int | None = None
    encoding: str | None = None
    body: bytes | None = None
    delay: float = 0.0
    stall_after: int | None = None
    stall: float = 1.0
    pad: int = 0
    raw: Callable[[Any, threading.Event], None] | None = None


@dataclass
class _Repository:
    commits: dict[str, dict[str, Content]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    private: bool = False
    edit_listing: Callable[[dict[str, Any]], Any] | None = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    hub: LoopbackHub
    role: str

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that hang up are what some tests are about


class LoopbackHub:
    """Two servers, the Hub and its storage, from `__enter__` to `__exit__`."""

    def __init__(self) -> None:
        self.repositories: dict[str, _Repository] = {}
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.watch: Callable[[Request], None] = lambda request: None
        """Called before every answer, and after every piece of a body that is sent."""
        self.good_token = "hf_good"  # has access to everything
        self.poor_token = "hf_poor"  # a valid account without access to anything
        self.stored: dict[str, bytes] = {}
        """What uploads have brought to the storage, by SHA-256, committed or not."""
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._servers: dict[str, _Server] = {}

    def __enter__(self) -> LoopbackHub:
        for role in ("hub", "storage"):
            server = _Server(("127.0.0.1", 0), _Handler)
            server.hub, server.role = self, role
            self._servers[role] = server
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        return self._address("hub")

    @property
    def storage_url(self) -> str:
        return self._address("storage")

    def _address(self, role: str) -> str:
        return f"http://127.0.0.1:{self._servers[role].server_port}"

    def add(
        self,
        repo: str,
        files: Mapping[str, Content],
        *,
        branch: str = "main",
        gated: bool = False,
        private: bool = False,
        edit_listing: Callable[[dict[str, Any]], Any] | None = None,
    ) -> str:
        """Commit `files` to a branch; returns the commit's hash."""
        repository = self.repositories.setdefault(repo, _Repository())
        repository.gated, repository.private = gated, private
        repository.edit_listing = edit_listing
        names = f"{repo}{branch}{len(repository.commits)}{sorted(files)}"
        commit = hashlib.sha1(names.encode()).hexdigest()
        repository.commits[commit] = dict(files)
        repository.branches[branch] = commit
        return commit

    def add_folder(self, repo: str, folder: Path, **settings: Any) -> str:
        """Commit a folder's files."""
        paths = [path for path in folder.rglob("*") if path.is_file()]
        files = {path.relative_to(folder).as_posix(): path for path in paths}
        return self.add(repo, files, **settings)

    def seen(self, pattern: str) -> list[Request]:
        """The requests so far whose `METHOD path` matches."""
        with self.lock:
            return [request for request in self.requests if re.search(pattern, request.line)]

    def take_fault(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.times != 0 and re.search(fault.matching, line):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    headers: Message
    request_seen: Request

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        hub = self.server.hub
        bearer = self.headers.get("Authorization")
        token = bearer.removeprefix("Bearer ") if bearer else None
        request = Request(
            self.server.role, self.command, self.path, self.headers.get("Range"), token
        )
        with hub.lock:
            hub.requests.append(request)
        fault = hub.take_fault(request.line) or Fault("")
        self.request_seen = request
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub.watch(request)
        if fault.delay:
            time.sleep(fault.delay)
        if fault.raw is not None:
            fault.raw(self.wfile, hub.closing)
            self.close_connection = True
        elif fault.status is not None:
            self._refuse(fault.status, fault.headers)
        elif (written := answer_upload(hub, self.command, self.path, token, body)) is not None:
            self._send_written(*written)
        elif self.server.role == "storage":
            self._send_stored(fault)
        else:
            self._send_hub(token, fault)

    def _send_written(self, status: int, answer: Any, headers: Mapping[str, str]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_hub(self, token: str | None, fault: Fault) -> None:
        hub = self.server.hub
        if (asked := asked_of_modelscope(self.path)) is not None:
            self._send_modelscope(asked, token, fault)
            return
        path = unquote(urlsplit(self.path).path)
        listing = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/(.+)", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/(.+)", path)
        match = listing or file
        repository = hub.repositories.get(match.group(1)) if match else None
        if token not in (None, hub.good_token, hub.poor_token):
            self._refuse(401, _error("", "Invalid credentials in Authorization header"))
        elif repository is None or (repository.private and token != hub.good_token):
            if token is None:
                self._refuse(401, _error("RepoNotFound", "Invalid username or password."))
            else:
                self._refuse(404, _error("RepoNotFound", "Repository not found"))
        elif listing:
            self._send_listing(repository, listing.group(1), listing.group(3), fault)
        elif file and repository.gated and token != hub.good_token:
            self._refuse(
                401 if token is None else 403,
                _error("GatedRepo", f"Access to model {file.group(1)} is restricted."),
            )
        elif file:
            self._send_file(repository, file.group(2), fault)

    def _send_modelscope(self, asked: Asked, token: str | None, fault: Fault) -> None:
        repository = self.server.hub.repositories.get(asked.repo)
        hidden = repository is not None and repository.private and token != "ms_good"
        revision = "main" if asked.revision == "master" else asked.revision
        if repository is None or hidden or token not in (None, "ms_good"):
            self._refuse(404, {})
        elif asked.file is not None:
            self._send_file(repository, f"{revision}/{asked.file}", fault)
        else:
            commit = repository.branches.get(revision, revision)
            listing = modelscope_listing(repository.commits[commit], commit, _sha256)
            self._send_bytes(json.dumps(listing).encode(), {}, fault)

    def _send_listing(
        self, repository: _Repository, repo: str, revision: str, fault: Fault
    ) -> None:
        commit = repository.branches.get(revision, revision)
        files = repository.commits.get(commit)
        if files is None:
            self._refuse(404, _error("RevisionNotFound", f"Invalid rev id: {revision}"))
            return
        blobs = "blobs" in parse_qs(urlsplit(self.path).query)
        listing: dict[str, Any] = {
            "id": repo,
            "sha": commit,
            "gated": "manual" if repository.gated else False,
            "siblings": [_sibling(name, files[name], blobs) for name in sorted(files)],
        }
        if repository.edit_listing is not None:
            listing = repository.edit_listing(listing)
        self._send_bytes(json.dumps(listing).encode(), {}, fault)

    def _send_file(self, repository: _Repository, rest: str, fault: Fault) -> None:
        # A branch may hold slashes, so the longest one that fits is meant.
        known = sorted({**repository.commits, **repository.branches}, key=len, reverse=True)
        revision = next((name for name in known if rest.startswith(f"{name}/")), None)
        if revision is None:
            self._refuse(404, _error("RevisionNotFound", "Invalid rev id"))
            return
        commit = repository.branches.get(revision, revision)
        name = rest[len(revision) + 1 :]
        content = repository.commits[commit].get(name)
        if content is None:
            self._refuse(
                404, {**_error("EntryNotFound", "Entry not found"), "X-Repo-Commit": commit}
            )
            return
        if not name.endswith(_LARGE):
            headers = {"X-Repo-Commit": commit, "ETag": f'"{_git_blob(content)}"'}
            self._send_bytes(content, headers, fault)
            return
        hub = self.server.hub
        digest = _sha256(content)
        place = f"{hub._address('storage')}/{commit}/{digest}"
        self.send_response(302)
        right = {
            "Location": f"{place}?file={name}",
            "X-Repo-Commit": commit,
            "X-Linked-ETag": f'"{digest}"',
            "X-Linked-Size": str(_size(content)),
            "Content-Length": "0",
        }
        self._send_headers(right, fault)
        self.end_headers()

    def _send_stored(self, fault: Fault) -> None:
        hub = self.server.hub
        parts = urlsplit(self.path)
        commit = parts.path.split("/")[1]
        (name,) = parse_qs(parts.query)["file"]
        for repository in hub.repositories.values():
            content = repository.commits.get(commit, {}).get(name)
            if content is not None:
                self._send_bytes(content, {}, fault)
                return
        self._refuse(404, {})

    def _send_bytes(self, content: Content, headers: Mapping[str, str], fault: Fault) -> None:
        if fault.body is not None:
            content = fault.body
        size = _size(content)
        start, end = 0, size
        span = None if fault.ignore_range else self.headers.get("Range")
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", span or "")
        if match is not None:
            start = int(match.group(1)) + fault.shift
            end = min(int(match.group(2)) + 1, size) if match.group(2) else size
            if start >= size:
                self._refuse(416, {"Content-Range": f"bytes */{size}"})
                return
        self.send_response(200 if match is None else 206)
        self._send_headers(headers, fault)
        if match is not None:
            total = size if fault.say_total is None else fault.say_total
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        if fault.encoding is not None:
            self.send_header("Content-Encoding", fault.encoding)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header(
            "Connection" if fault.pad else "Content-Length",
            "close" if fault.pad else str(end - start),
        )
        self.end_headers()
        if self.command == "HEAD":
            return
        length = end - start if fault.cut_after is None else min(fault.cut_after, end - start)
        with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
            if fault.stall_after is not None:
                self._copy(file, start, fault.stall_after)
                self.wfile.flush()
                self.server.hub.closing.wait(fault.stall)
                start, length = start + fault.stall_after, length - fault.stall_after
            self._copy(file, start, length)
        self.wfile.write(b"x" * fault.pad)
        if fault.cut_after is not None or fault.pad:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _send_headers(self, right: Mapping[str, str], fault: Fault) -> None:
        bent = {name.lower() for name in fault.headers}
        for name, value in right.items():
            if name.lower() not in bent:
                self.send_header(name, value)
        for name, value in fault.headers.items():
            self.send_header(name, value)

    def _copy(self, file: BinaryIO, start: int, length: int) -> None:
        file.seek(start)
        while length:
            chunk = file.read(min(length, 1 << 16))
            self.wfile.write(chunk)
            self.server.hub.watch(self.request_seen)
            length -= len(chunk)

    def _refuse(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _error(code: str, message: str) -> dict[str, str]:
    return {"X-Error-Code": code, "X-Error-Message": message}


def _sibling(name: str, content: Content, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": name}
    entry = {"rfilename": name, "size": _size(content), "blobId": _git_blob(content)}
    if name.endswith(_LARGE):
        lfs = {"sha256": _sha256(content), "size": _size(content), "pointerSize": 134}
        return {**entry, "lfs": lfs}
    return entry


def _size(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _git_blob(content: Content) -> str:
    if _size(content) > 1 << 28:  # a sparse giant: nobody reads it whole
        return hashlib.sha1(str(content).encode()).hexdigest()
    data = content if isinstance(content, bytes) else content.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _sha256(content: Content) -> str:
    if _size(content) > 1 << 28:
        return hashlib.sha256(str(content).encode()).hexdigest()
    data = content if isinstance(content, bytes) else content.read_bytes()
    return hashlib.sha256(data).hexdigest()
