"""A Hub that lies: its listing, its headers, its redirects and its bytes, damaged.

Each trial opens a checkpoint of a Hub on loopback and fetches its weights into a cache of its
own, or does so with a finished GGUF. Besides ending well or in a refusal, it may have put
nothing outside that cache, a name of content there is its digest, the storage has seen no
token, and no message shows one.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from qwq_gguf.checkpoint import fetch_gguf, locate_gguf, open_checkpoint
from qwq_gguf.checkpoint.hub import blob as hub_blob
from qwq_gguf.checkpoint.hub import http as hub_http
from qwq_gguf.checkpoint.hub.checkpoint import fetch_weights
from qwq_gguf.checkpoint.hub.retry import PATIENT, QUICK
from qwq_gguf.errors import QwqGgufError
from support.checkpoints import Shape, write_checkpoint
from support.hub import Fault, LoopbackHub
from support.hub_fixtures import hub_environment

__all__ = ["CLASS", "trials"]

CLASS = "hub"

_REPO, _GGUF = "Qwen/QwQ-Tiny", "Qwen/QwQ-Tiny-GGUF"
_SHAPE = Shape(hidden=64, layers=1, heads=2, kv_heads=1, feed_forward=64)
_TOKEN = "hf_good"
_SHA1, _SHA256 = 40, 64
_MOST = 24 << 20  # bytes that a trial may leave in the cache: all there is, and some
_TARGETS = (
    "/api/", "resolve", "file=", "GET", "config", "tokenizer", "README", "safetensors", "gguf",
)  # fmt: skip
_HEADERS = (
    "ETag", "X-Linked-ETag", "X-Linked-Size", "X-Repo-Commit", "Location", "Content-Length",
    "Content-Range", "Content-Encoding", "Transfer-Encoding", "Content-Type", "Connection",
    "Retry-After", "RateLimit", "X-Error-Code", "X-Error-Message", "Set-Cookie", "Link", "Date",
    "X-Xet-Hash", "X-Xet-Refresh-Route", "Content-Disposition", "Age", "Upgrade",
)  # fmt: skip
_VALUES = (
    "", " ", "0", "-1", "1", "9" * 25, "1e9", "bytes 0-1/2", "bytes 5-1/1", "bytes */0", "gzip",
    "identity", "chunked", "gzip, chunked", "close", "keep-alive", "../../../x", "/etc/passwd",
    "{cwd}/authorized_keys", "{cwd}/precious", "http://127.0.0.1:1/", "http://", "//", "///x",
    "file:///etc/passwd", "http://u:p@127.0.0.1/", "{url}/x", "{url}", "{storage}/x", "?a", "#",
    "http://[::1", "http://a:b:c/", "http://\u00fc/", "a" * 9000, "\x00", "\x1b[2J", "\u00e9",
    '"' + "a" * 40 + '"', '"' + "b" * 64 + '"', "W/\"x\"", "GatedRepo", "EntryNotFound",
    "RevisionNotFound", "RepoNotFound", "Wed, 21 Oct 2065 07:28:00 GMT", "Mon, 99 Foo -1", "nan",
    '"api";r=0;t=0', '"api";r=0;t=999999999', "Bearer hf_good", "disabled", "invalid", ";" * 500,
)  # fmt: skip
_JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 10**400, 0.5, float("nan"), float("inf"), "", "x", "../x", "/x",
    "a\0b", "\ud800", "\u202e", "\x1b[2J", "a" * 5000, [], {}, [[]], [None], {"a": {}}, "a/b/c",
    "config.json", "model.safetensors", "a" * 40, "b" * 64, "README.md/x", ".", "..", "CON", "a//b",
)  # fmt: skip


def trials(seed: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """One lie, or a few at a time."""
    rng = random.Random(seed)
    bench = _Bench()
    for number in count():
        yield f"hub {number}", partial(bench.run, rng.randrange(1 << 62))


class _Bench:
    """The Hub, made when the first trial runs."""

    def __init__(self) -> None:
        self._hub: LoopbackHub | None = None

    def run(self, seed: int) -> None:
        rng = random.Random(seed)
        hub = self._running()
        home = Path.cwd() / "hf"
        shutil.rmtree(home, ignore_errors=True)
        hub.faults.clear()
        hub.requests.clear()
        for repository in hub.repositories.values():
            repository.edit_listing = None
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            self._lie(hub, rng)
        try:
            if rng.random() < 0.3:
                fetch_gguf(locate_gguf(f"{_GGUF}:Q4_0", fetch=False))
            else:
                fetch_weights(open_checkpoint(_REPO))
        except QwqGgufError as error:
            said = str(error)
            assert _TOKEN not in said, "a token is shown"
            assert said.replace("\n", "").isprintable(), "a message with control characters"
            raise
        finally:
            hub.closing.set()  # whoever drips may end
            hub.closing.clear()
            _look(hub, home)

    def _running(self) -> LoopbackHub:
        if self._hub is not None:
            return self._hub
        from huggingface_hub import constants

        share_one_arena()
        here = Path.cwd()
        constants.HF_TOKEN_PATH = str(here / "token")
        constants.HF_STORED_TOKENS_PATH = str(here / "stored_tokens")
        hub_http.POLICY = replace(QUICK, retries=1, first_wait=0.001, longest_asked=0.01)
        hub_http.PATIENCE = 1.0
        hub_blob.POLICY = replace(
            PATIENT, retries=1, first_wait=0.001, longest_asked=0.01, silence=1.0, slow_window=0.5
        )
        hub_blob.SMALL = 20_000  # so that some files of the tiny model are large ones
        self._hub = hub = LoopbackHub().__enter__()
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            os.environ.pop(name, None)
            os.environ.pop(name.upper(), None)
        os.environ |= hub_environment(hub.url, here / "hf") | {"HF_TOKEN": _TOKEN}
        (here / "precious").write_bytes(b"precious")
        folder = write_checkpoint(here / "model", shape=_SHAPE, shards=2, card="# Hello")
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        hub.add(_REPO, files)
        hub.add(_GGUF, {"Tiny-Q4_0.gguf": os.urandom(50_000), "README.md": b"# Hello"})
        return hub

    def _lie(self, hub: LoopbackHub, rng: random.Random) -> None:
        matching = rng.choice(_TARGETS)
        times = rng.choice((None, None, 1, 2))
        kind = rng.randrange(9)
        if kind == 0:
            for repository in hub.repositories.values():
                repository.edit_listing = partial(_damaged, rng=random.Random(rng.random()))
        elif kind == 1:
            hub.faults.append(Fault("/api/", times, body=_damaged_bytes(_listing(hub), rng)))
        elif kind == 2:
            status = rng.choice((201, 204, 206, 301, 302, 304, 307, 308, 400, 401, 403, 404, 410,
                                 416, 418, 429, 451, 500, 503, 504, 599))  # fmt: skip
            hub.faults.append(Fault(matching, times, status=status, headers=_headers(hub, rng)))
        elif kind in (3, 4):
            hub.faults.append(Fault(matching, times, headers=_headers(hub, rng)))
        elif kind == 5:
            hub.faults.append(Fault(matching, times, body=_body(rng)))
        elif kind == 6:
            hub.faults.append(
                Fault(
                    matching,
                    times,
                    cut_after=rng.choice((None, 0, 1, 500, 65_536)),
                    ignore_range=rng.random() < 0.3,
                    shift=rng.choice((0, 0, -1, 1, 8, 10**9)),
                    say_total=rng.choice((None, 0, 1, 10**6, 10**19)),
                    encoding=rng.choice((None, None, "gzip", "identity", "br")),
                    pad=rng.choice((0, 1, 5000, 1 << 20)),
                )
            )
        else:
            hub.faults.append(Fault(matching, times, raw=_raw(hub, rng)))


def share_one_arena() -> None:
    """Else glibc maps 64 MiB a thread, which are never used and count all the same."""
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX


def _look(hub: LoopbackHub, home: Path) -> None:
    """Raise for what no trial may leave behind."""
    here = Path.cwd()
    assert {path.name for path in here.iterdir()} <= {"hf", "model", "precious"}, "a file outside"
    assert (here / "precious").read_bytes() == b"precious"
    assert not any(request.token for request in hub.requests if request.host == "storage")
    cache = home / "hub"
    sizes = 0
    for path in home.rglob("*"):
        real = path.resolve()
        assert real.is_relative_to(cache) or real == home, f"{path} leads out"
        if path.is_symlink() or not path.is_file():
            continue
        sizes += path.stat().st_size
        if path.parent.name == "blobs":
            _check_name(path)
    assert sizes <= _MOST, f"{sizes} bytes in the cache"


def _check_name(blob: Path) -> None:
    """What is called by a digest has it."""
    content = blob.read_bytes()
    if len(blob.name) == _SHA256:
        assert blob.name == hashlib.sha256(content).hexdigest()
    elif len(blob.name) == _SHA1:
        assert blob.name == hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    else:
        assert blob.name.endswith(".incomplete"), blob.name


def _headers(hub: LoopbackHub, rng: random.Random) -> dict[str, str]:
    names = rng.sample(_HEADERS, rng.choice((1, 1, 2, 4)))
    return {name: _value(hub, rng) for name in names}


def _value(hub: LoopbackHub, rng: random.Random) -> str:
    value = rng.choice(_VALUES)
    value = value.replace("{cwd}", str(Path.cwd())).replace("{url}", hub.url)
    return value.replace("{storage}", hub._address("storage"))


def _body(rng: random.Random) -> bytes:
    return rng.choice(
        (
            b"", b"{}", b"[]", b"<html>", b"[" * 200_000, b'{"a":0},' * 20_000, b"\xff" * 100,
            rng.randbytes(rng.randrange(70_000)), bytes(3 << 20), b"version https://git-lfs",
        )
    )  # fmt: skip


def _listing(hub: LoopbackHub) -> bytes:
    commit, files = next(iter(hub.repositories[_REPO].commits.items()))
    siblings = [{"rfilename": name, "size": 5} for name in files]
    return json.dumps({"sha": commit, "siblings": siblings}).encode()


def _damaged_bytes(content: bytes, rng: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 2, 8))):
        at = rng.randrange(len(damaged) + 1)
        piece = rng.choice(
            (b"[", b"{", b'"', b"\\ud800", b"9" * 500, b"\0", b"1e999", b"NaN", b",")
        )
        end = at + rng.choice((0, 0, 1, 5))
        damaged[at:end] = piece * rng.choice((1, 1, 3, 5000))
    return bytes(damaged)


def _damaged(listing: dict[str, Any], *, rng: random.Random) -> Any:
    """A listing with one to three values that are something else, or gone."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        holder: Any = listing
        if rng.random() < 0.8 and isinstance(listing.get("siblings"), list):
            holder = rng.choice(listing["siblings"] or [listing])
        if isinstance(holder, dict) and isinstance(holder.get("lfs"), dict) and rng.random() < 0.5:
            holder = holder["lfs"]
        if not isinstance(holder, dict) or not holder:
            continue
        key = rng.choice(sorted(holder))
        if rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = rng.choice(_JUNK)
    return listing


def _raw(hub: LoopbackHub, rng: random.Random) -> Callable[[Any, Any], None]:
    """Not quite HTTP."""
    value = _value(hub, rng).encode("latin-1", "replace")
    head = rng.choice(
        (
            b"", b"\r\n", b"HTTP/1.1 200 OK", b"HTTP/9.9 200 OK", b"HTTP/1.1 099 X", b"nonsense",
            b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + b"HTTP/1.1 200 OK", b"HTTP/1.1 302 Found",
            b"HTTP/1.1 101 Upgrade", b"HTTP/1.1 200 " + b"x" * 70_000, b"HTTP/1.1 206 OK",
        )
    )  # fmt: skip
    name = rng.choice(_HEADERS).encode()
    fields = (name + b": " + value + b"\r\n") * rng.choice((1, 1, 2, 150))
    body = rng.choice(
        (b"", b"{}", b"5\r\nhello\r\n0\r\n\r\n", b"-1\r\n", b"f" * 20, bytes(1 << 20))
    )
    drips = rng.random() < 0.1

    def say(out: Any, closing: Any) -> None:
        with suppress(OSError):
            out.write(head + b"\r\n" + fields + b"\r\n" + body)
            out.flush()
            for _ in range(300 if drips else 0):
                if closing.wait(0.01):
                    break
                out.write(b"x")
                out.flush()

    return say
