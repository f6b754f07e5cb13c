"""A Hub, or a mirror of it, that means harm: nothing is put elsewhere, nothing wrong is taken."""

from __future__ import annotations

import json
import os
import threading
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from qwq_gguf.checkpoint import fetch_gguf, locate_gguf, open_checkpoint
from qwq_gguf.checkpoint.hub import snapshot as hub_snapshot
from qwq_gguf.checkpoint.hub.checkpoint import fetch_weights
from qwq_gguf.checkpoint.hub.fetch import fetch
from qwq_gguf.checkpoint.hub.redirect import next_hop
from qwq_gguf.checkpoint.hub.settings import DEFAULT_ENDPOINT, HubSettings, hub_settings
from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot, open_snapshot
from qwq_gguf.errors import HubConnectionError, HubError, QwqGgufError, ShardError, SourceError
from support.checkpoints import Shape, write_checkpoint
from support.hub import Fault, LoopbackHub

REPO = "Qwen/QwQ-Tiny"
SHAPE = Shape(hidden=64, layers=1, heads=2, kv_heads=1, feed_forward=64)
SHARD = "model.safetensors"
LARGE = os.urandom(3 << 20)  # more than comes in one answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "QwQ-Tiny"
    return write_checkpoint(folder, shape=SHAPE, card="# Hello")


@pytest.fixture
def snapshot(hub: LoopbackHub) -> HubSnapshot:
    hub.add(REPO, {"config.json": b"{}", SHARD: LARGE})
    return open_snapshot(hub_settings(), REPO)


def everything(tmp_path: Path) -> set[str]:
    """All files outside the cache of this repository."""
    own = tmp_path / "hf" / "hub" / "models--Qwen--QwQ-Tiny"
    found = (path for path in tmp_path.rglob("*") if not path.is_dir())
    return {path.name for path in found if not path.is_relative_to(own)}


# ------------------------------------------------- values that become a path


def evil_names(tmp_path: Path) -> dict[str, str]:
    precious = tmp_path / "precious"
    return {
        "absolute": str(tmp_path / "authorized_keys"),
        "above": "../" * 6 + "authorized_keys",
        "a file of the listed size": str(precious),
        "empty": "",
        "control": "\x1b[2J",
    }


@pytest.mark.parametrize("header", ["ETag", "X-Linked-ETag", "X-Repo-Commit"])
@pytest.mark.parametrize("kind", evil_names(Path()))
def test_a_header_is_no_path(
    hub: LoopbackHub, snapshot: HubSnapshot, tmp_path: Path, header: str, kind: str
) -> None:
    """huggingface_hub has them for names in its cache."""
    (tmp_path / "precious").write_bytes(b"p" * len(LARGE))
    value = evil_names(tmp_path)[kind]
    shown = value if header == "X-Repo-Commit" else f'"{value}"'
    hub.faults.append(Fault("resolve", headers={header: shown}))
    before = everything(tmp_path)
    fetch(snapshot, ["config.json", SHARD])
    assert (snapshot.folder / SHARD).read_bytes() == LARGE
    assert (snapshot.folder / "config.json").read_bytes() == b"{}"
    new = everything(tmp_path) - before
    assert {name for name in new if not name.endswith(".lock")} == set()
    assert snapshot.folder.name == snapshot.commit


def test_the_cache_is_that_of_other_tools(hub: LoopbackHub, snapshot: HubSnapshot) -> None:
    from huggingface_hub import hf_hub_download, scan_cache_dir

    fetch(snapshot, ["config.json", SHARD])
    asked = len(hub.requests)
    for name in ("config.json", SHARD):
        theirs = hf_hub_download(
            REPO,
            name,
            revision=snapshot.commit,
            cache_dir=snapshot.hub.cache,
            endpoint=hub.url,
        )
        assert Path(theirs) == snapshot.folder / name
    assert len(hub.requests) == asked
    scanned = scan_cache_dir(snapshot.hub.cache)
    assert not scanned.warnings
    (repository,) = scanned.repos
    (revision,) = repository.revisions
    assert {file.blob_path.name for file in revision.files} == {
        snapshot.files[SHARD].sha256,
        snapshot.files["config.json"].blob,
    }


@pytest.mark.parametrize("large", [False, True])
def test_what_other_tools_have_is_taken(
    hub: LoopbackHub, snapshot: HubSnapshot, large: bool
) -> None:
    from huggingface_hub import hf_hub_download

    name = SHARD if large else "config.json"
    hf_hub_download(REPO, name, revision="main", cache_dir=snapshot.hub.cache, endpoint=hub.url)
    asked = len(hub.requests)
    assert fetch(snapshot, [name]) == {}
    # Of another commit, the content is linked to.
    hub.add(REPO, {"config.json": b"{}", SHARD: LARGE, "x": b"x"})
    later = open_snapshot(hub_settings(), REPO)
    assert later.commit != snapshot.commit
    assert fetch(later, [name]) == {}
    assert (later.folder / name).read_bytes() == (LARGE if large else b"{}")
    assert len(hub.requests) == asked + 1


@pytest.mark.parametrize("name", ["config.json", SHARD])
def test_a_link_out_of_the_cache_is_not_followed(
    hub: LoopbackHub, snapshot: HubSnapshot, tmp_path: Path, name: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    pointer = snapshot.folder / name
    pointer.parent.mkdir(parents=True)
    pointer.symlink_to(precious)
    assert not snapshot.is_here(name)
    fetch(snapshot, [name])
    assert pointer.resolve().is_relative_to(snapshot.hub.cache)
    assert pointer.read_bytes() == (LARGE if name == SHARD else b"{}")
    assert precious.read_bytes() == b"mine"


def test_a_blob_that_leads_out_is_not_written_through(
    hub: LoopbackHub, snapshot: HubSnapshot, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"m" * len(LARGE))
    blobs = snapshot.folder.parent.parent / "blobs"
    blobs.mkdir(parents=True)
    (blobs / str(snapshot.files[SHARD].sha256)).symlink_to(precious)
    fetch(snapshot, [SHARD])
    assert (snapshot.folder / SHARD).read_bytes() == LARGE
    assert precious.read_bytes() == b"m" * len(LARGE)


# ----------------------------------------------------------------- its bytes


@pytest.mark.parametrize("name", ["config.json", SHARD])
@pytest.mark.parametrize("once", [True, False])
def test_other_bytes_than_listed(
    hub: LoopbackHub, snapshot: HubSnapshot, name: str, once: bool
) -> None:
    bad = b"[]" if name == "config.json" else LARGE[:-1] + b"?"
    matching = "file=" if name == SHARD else "resolve.*config"
    hub.faults.append(Fault(matching, body=bad, times=1 if once else None))
    if once:
        fetch(snapshot, [name])
        return
    with pytest.raises(ShardError, match="not the file that the Hub lists") as caught:
        fetch(snapshot, [name])
    assert caught.value.path == f"{REPO}/{name}"
    assert not snapshot.is_here(name)
    assert not any((snapshot.folder.parent.parent / "blobs").iterdir())


@pytest.mark.parametrize("name", ["config.json", SHARD])
def test_a_body_without_end_takes_no_more_than_was_listed(
    hub: LoopbackHub, snapshot: HubSnapshot, tmp_path: Path, name: str
) -> None:
    most = 0

    def watch(request: Any) -> None:
        nonlocal most
        sizes = [path.stat().st_size for path in (tmp_path / "hf").rglob("*") if path.is_file()]
        most = max([most, *sizes])

    def endless(out: BinaryIO, closing: threading.Event) -> None:
        content = b"{}" if name == "config.json" else LARGE
        sent = 0
        try:
            out.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content)
            while not closing.is_set() and sent < 64 << 20:
                out.write(bytes(1 << 16))
                sent += 1 << 16
                watch(None)
        except OSError:
            pass

    hub.watch = watch
    hub.faults.append(Fault("file=" if name == SHARD else "resolve.*config", raw=endless))
    fetch(snapshot, [name])
    assert most <= len(LARGE)


def without_digests(right: dict[str, Any]) -> dict[str, Any]:
    return right | {"siblings": [{"rfilename": file["rfilename"]} for file in right["siblings"]]}


@pytest.mark.parametrize("name", ["config.json", "README.md", "tokenizer.json"])
def test_a_small_file_of_no_listed_size_has_its_own_limit(
    hub: LoopbackHub, folder: Path, tmp_path: Path, name: str
) -> None:
    hub.add_folder(REPO, folder, edit_listing=without_digests)

    def endless(out: BinaryIO, closing: threading.Event) -> None:
        try:
            out.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while not closing.is_set():
                out.write(bytes(1 << 16))
        except OSError:
            pass

    def claims(out: BinaryIO, closing: threading.Event) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        endless(out, closing)

    for raw in (endless, claims):
        hub.faults[:] = [Fault(f"resolve.*{name}", raw=raw)]
        with pytest.raises(SourceError, match="too large to be") as caught:
            open_checkpoint(REPO)
        assert name in str(caught.value.path)
    sizes = [path.stat().st_size for path in (tmp_path / "hf").rglob("*") if path.is_file()]
    assert sum(sizes) < 4 << 20


def test_compressed_bytes_are_refused(hub: LoopbackHub, snapshot: HubSnapshot) -> None:
    """A megabyte of them may become a gigabyte."""
    for name in ("config.json", SHARD):
        hub.faults[:] = [Fault("resolve.*config|file=", encoding="gzip")]
        with pytest.raises(HubError, match="compresses"):
            fetch(snapshot, [name])


def test_a_gguf_of_other_bytes(hub: LoopbackHub) -> None:
    hub.add("org/Tiny-GGUF", {"Tiny-Q4_0.gguf": LARGE})
    located = locate_gguf("org/Tiny-GGUF", fetch=False)
    hub.faults.append(Fault("file=", body=LARGE[::-1]))
    with pytest.raises(ShardError, match="not the file that the Hub lists"):
        fetch_gguf(located)
    assert not located.path.exists()


# --------------------------------------------------------------- the listing


def listing(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda right: right | changes


def sibling(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda right: right | {"siblings": [right["siblings"][0] | changes]}


@pytest.mark.parametrize(
    "name", ["a\u202egnp.exe", "a\x1b[31m", "a\nb", "a\u2028b", "a\ud800", "\u2066x", "a\x7f"]
)
def test_a_name_that_deceives(hub: LoopbackHub, name: str) -> None:
    hub.add(REPO, {"config.json": b"{}"}, edit_listing=sibling(rfilename=name))
    with pytest.raises(HubError, match="whose name would deceive") as caught:
        open_checkpoint(REPO)
    assert str(caught.value).replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["größe.txt", "思考/x.json", "a b", "😀\u200d.md"])
def test_a_name_in_any_language(hub: LoopbackHub, name: str) -> None:
    hub.add(REPO, {name: b"x"})
    fetch(open_snapshot(hub_settings(), REPO), [name])


def test_a_listing_may_be_deep(hub: LoopbackHub) -> None:
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    for entry in ({"rfilename": deep}, deep, {"rfilename": "x", "size": deep}):
        hub.add(REPO, {"config.json": b"{}"}, edit_listing=listing(siblings=[entry]))
        with pytest.raises(HubError, match="does not describe the repository"):
            open_checkpoint(REPO)
    hub.add(REPO, {"config.json": b"{}"}, edit_listing=listing(sha=deep))
    with pytest.raises(HubError, match="does not describe the repository"):
        open_checkpoint(REPO)


def test_a_listing_of_brackets_is_bounded(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its length, since what is read of it takes up to 35 times the room."""
    times = 40
    assert times * hub_snapshot._MAX_LISTING < 512 << 20
    most = 256 << 10
    monkeypatch.setattr(hub_snapshot, "_MAX_LISTING", most)
    hub.add(REPO, {"config.json": b"{}"})
    unit = b'{"a":0},'
    for length in (most, 8 * most):
        body = b'{"x":[' + unit * ((length - 100) // len(unit)) + b"0]}"
        hub.faults[:] = [Fault("/api/", body=body)]
        tracemalloc.start()
        with pytest.raises(HubError):
            open_checkpoint(REPO)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < times * most


# ------------------------------------------------------------- its redirects


def leads(to: str, matching: str = "GET") -> Fault:
    return Fault(matching, status=302, headers={"Location": to})


def test_a_mirror_that_only_redirects_is_said(
    hub: LoopbackHub, snapshot: HubSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.good_token)
    storage = hub._address("storage")
    hub.faults.append(leads(f"{storage}/api/models/x", "GET /api/"))
    asked = len(hub.requests)
    with pytest.raises(HubError, match="only leads to another one") as caught:
        open_checkpoint(REPO)
    assert caught.value.found == storage
    assert storage in (caught.value.hint or "")
    assert len(hub.requests) == asked + 1  # the other one was not asked


def test_a_login_page_in_place_of_the_hub() -> None:
    """As of a network that wants one first: no mirror is to blame."""
    public = HubSettings(DEFAULT_ENDPOINT, Path("cache"))
    url = public.listing_url(REPO, "main")
    with pytest.raises(HubError, match="only leads to another one") as caught:
        next_hop(public, url, "http://login.hotel/?back=1", may_leave=False)
    assert "HF_ENDPOINT" not in (caught.value.hint or "")
    assert caught.value.found == "http://login.hotel"
    assert next_hop(public, url, "/api/models/a/b", may_leave=False).url.startswith("https://hugg")


@pytest.mark.parametrize("absolute", [True, False])
def test_a_redirect_on_the_same_server_keeps_the_token(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, absolute: bool
) -> None:
    """As for a repository that was renamed."""
    monkeypatch.setenv("HF_TOKEN", hub.good_token)
    hub.add("new/name", {"config.json": b"{}"}, private=True)
    place = "/api/models/new/name/revision/main?blobs=true"
    hub.faults.append(leads(hub.url * absolute + place, "GET /api/models/old/name"))
    assert "config.json" in open_snapshot(hub_settings(), "old/name").files
    assert [request.token for request in hub.requests] == [hub.good_token] * 2


def test_a_token_travels_to_no_other_server(
    hub: LoopbackHub, snapshot: HubSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.good_token)
    storage = hub._address("storage")
    port = storage.rpartition(":")[2]
    for other in (storage, f"http://{hub.good_token}@127.0.0.1:{port}", f"//127.0.0.1:{port}"):
        hub.faults[:] = [leads(f"{other}/{snapshot.commit}/x?file=config.json", "resolve")]
        hub.requests.clear()
        fetch(snapshot, ["config.json"])
        assert [(request.host, request.token) for request in hub.requests] == [
            ("hub", hub.good_token),
            ("storage", None),
        ]
        (snapshot.folder / "config.json").resolve().unlink()
    # Back on the first server it is still a stranger's errand.
    back = f"{hub.url}/{REPO}/resolve/{snapshot.commit}/config.json"
    hub.faults[:] = [
        Fault("resolve", status=302, headers={"Location": f"{storage}/x"}, times=1),
        leads(back, "GET /x"),
    ]
    hub.requests.clear()
    fetch(snapshot, ["config.json"])
    assert [request.token for request in hub.requests] == [hub.good_token, None, None]


@pytest.mark.parametrize(
    "to", ["/x", "http://127.0.0.1:{port}/x", "?again", "../x", "/x" + "y" * 3000]
)
def test_redirects_in_a_circle(hub: LoopbackHub, to: str) -> None:
    hub.faults.append(leads(to.format(port=hub.url.rpartition(":")[2])))
    with pytest.raises(HubError, match="in a circle"):
        open_checkpoint(REPO)
    assert len(hub.requests) == 5


@pytest.mark.parametrize(
    "to",
    [
        "file:///etc/passwd",
        "ftp://x/y",
        "http://",
        "http://[::1/",
        "http://x:99999999/",
        "http://x:0/",
        "//",
        "javascript:1",
        "http://a b/",
        "http://\udcff\udcfe.example/",
        "http://xn--\u00fc/",
        "http://" + "a" * 300 + "/",
        "http://../",
    ],
)
def test_a_redirect_to_no_address(hub: LoopbackHub, snapshot: HubSnapshot, to: str) -> None:
    def raw(out: BinaryIO, closing: threading.Event) -> None:
        said = to.encode("utf-8", "surrogateescape")
        out.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + said + b"\r\n\r\n")

    hub.faults.append(Fault("resolve", raw=raw))
    with pytest.raises(HubError):
        fetch(snapshot, ["config.json"])


@pytest.mark.parametrize("cookie", ["a=b; Path=/", "\xfc=\xfc", "a=" + "b" * 9000, "=;;=\x01"])
def test_no_cookie_is_kept(hub: LoopbackHub, snapshot: HubSnapshot, cookie: str) -> None:
    """One that cannot be sent would end every later request."""
    from huggingface_hub import get_session

    def raw(out: BinaryIO, closing: threading.Event) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: ")
        out.write(cookie.encode("latin-1") + b"\r\n\r\n{}")

    hub.faults.append(Fault("resolve", raw=raw, times=1))
    fetch(snapshot, ["config.json"])
    assert not list(get_session().cookies.jar)
    fetch(snapshot, [SHARD])


# ------------------------------------------------------------------- secrets


def test_a_password_in_the_address_is_sent_and_not_shown(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []
    hub.watch = lambda request: seen.append(request.token)
    hub.add_folder(REPO, folder)
    host = hub.url.removeprefix("http://")
    monkeypatch.setenv("HF_ENDPOINT", f"http://user:s%40cret@{host}")
    monkeypatch.setenv("HF_TOKEN", hub.good_token)
    settings = hub_settings()
    assert settings.endpoint == hub.url
    assert "cret" not in repr(settings)
    with pytest.raises(QwqGgufError):  # this Hub knows tokens only
        open_checkpoint(REPO)
    assert seen[0] == f"Basic {b64encode(b'user:s@cret').decode()}"
    hub.good_token = seen[0]
    checkpoint = open_checkpoint(REPO)
    fetch_weights(checkpoint)
    assert checkpoint.hub is not None
    assert "cret" not in repr(checkpoint.hub)
    assert hub.seen("file=")
    assert {request.token for request in hub.requests if request.host == "storage"} == {None}


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://user:s3cret@127.0.0.1:1",
        "http://user:s3cret@no such host",
        "ftp://user:s3cret@host",
        "http://user:s3/cret@host",
        "http://user:s3?cret@host",
        "http://user:s3#cret@host",
        "user:s3cret@host",
        "http://host/?key=s3cret",
    ],
)
def test_a_password_is_in_no_message(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(HubError) as caught:
        open_checkpoint(REPO)
    said = f"{caught.value}{caught.value!r}{caught.value.__cause__}"
    assert "s3" not in said
    assert "cret" not in said


@pytest.mark.parametrize("to", ["http://u:s3cret@x/y?X-Amz-Signature=s3cret", "//x?hf_s3cret123"])
def test_a_signature_is_in_no_message(hub: LoopbackHub, to: str) -> None:
    hub.faults.append(leads(to))
    with pytest.raises(HubError) as caught:
        open_checkpoint(REPO)
    assert "s3cret" not in str(caught.value)


def test_an_address_that_was_typed_with_a_password(hub: LoopbackHub) -> None:
    with pytest.raises(SourceError) as caught:
        open_checkpoint("https://user:s3cret@example.com/org/name")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["hf_a\x00b", "hf_\u00e9", "hf_a\x1b[1m"])
def test_a_token_that_cannot_be_sent_is_not_shown(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setattr("huggingface_hub.utils._headers.get_token", lambda: token)
    with pytest.raises(HubError, match="not a token") as caught:
        open_checkpoint(REPO)
    assert token not in str(caught.value)
    assert hub.requests == []


def test_what_the_server_says_is_cleaned(
    hub: LoopbackHub, snapshot: HubSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret123")
    said = "no\x1b[2J\x9b31m \u202eBearer hf_secret123 see https://u:p@x/y?sig=1 " + "x" * 5000

    def raw(out: BinaryIO, closing: threading.Event) -> None:
        out.write(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\nX-Error-Message: ")
        out.write(said.encode() + b"\r\n\r\n")

    hub.faults.append(Fault("GET", raw=raw))
    with pytest.raises(HubError) as caught:
        fetch(snapshot, ["config.json"])
    text = caught.value.found or ""
    assert text.isprintable()
    assert len(text) <= 200
    for secret in ("hf_secret123", "u:p@", "sig=1"):
        assert secret not in text
    assert "https://x/y" in text


# ---------------------------------------------------------- several at a time


def test_an_error_ends_the_other_downloads_at_once(hub: LoopbackHub) -> None:
    hub.add(REPO, {"a.safetensors": LARGE, "b.safetensors": LARGE[::-1]})
    stalled = threading.Event()

    def stall(out: BinaryIO, closing: threading.Event) -> None:
        out.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n12345" % len(LARGE))
        stalled.set()
        closing.wait(60)

    def refuse(out: BinaryIO, closing: threading.Event) -> None:
        stalled.wait(10)
        out.write(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")

    hub.faults += [Fault("file=a", raw=stall), Fault("file=b", raw=refuse)]
    snapshot = open_snapshot(hub_settings(), REPO)
    begun = time.monotonic()
    with pytest.raises(HubError, match="answered 410"):
        fetch(snapshot, ["a.safetensors", "b.safetensors"])
    assert time.monotonic() - begun < 5  # the silence would have been borne for ten
    hub.faults.clear()
    assert set(fetch(snapshot, ["a.safetensors", "b.safetensors"])) == set(snapshot.files)


def test_two_files_of_one_content_come_once(hub: LoopbackHub) -> None:
    hub.add(REPO, {"a.safetensors": LARGE, "b.safetensors": LARGE})
    snapshot = open_snapshot(hub_settings(), REPO)
    assert len(fetch(snapshot, snapshot.files)) == 1
    assert all((snapshot.folder / name).read_bytes() == LARGE for name in snapshot.files)
    assert len(hub.seen("file=")) == 1


# --------------------------------------------------------- patience for weights


def test_a_body_that_drips_is_given_up(
    hub: LoopbackHub, snapshot: HubSnapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By bytes, and by what no byte of the file is: the heads of chunks."""
    from qwq_gguf.checkpoint.hub import blob as hub_blob
    from qwq_gguf.checkpoint.hub.retry import PATIENT

    policy = replace(PATIENT, retries=1, first_wait=0.01, slow_window=0.1)
    monkeypatch.setattr(hub_blob, "POLICY", policy)
    for head in (
        b"Content-Length: %d\r\n\r\n" % len(LARGE),
        b"Transfer-Encoding: chunked\r\n\r\n1;",
    ):

        def drip(out: BinaryIO, closing: threading.Event, head: bytes = head) -> None:
            try:
                out.write(b"HTTP/1.1 200 OK\r\n" + head)
                while not closing.wait(0.02):
                    out.write(b"x")
            except OSError:
                pass

        hub.faults[:] = [Fault("file=", raw=drip)]
        with pytest.raises(HubConnectionError, match=r"too slow|in time"):
            fetch(snapshot, [SHARD])


def test_json_of_a_listing_is_not_the_client_s(hub: LoopbackHub) -> None:
    """Numbers without end, text for numbers, NaN: an error of the Hub's, never of ours."""
    hub.add(REPO, {"config.json": b"{}"})
    for size in ("1e999", "NaN", '"1"', "1" * 5000, "-0.0", "[]", "true"):
        entry = f'{{"rfilename":"x","size":{size}}}'
        body = json.dumps({"sha": "a" * 40, "siblings": []})[:-2] + entry + "]}"
        hub.faults[:] = [Fault("/api/", body=body.encode())]
        with pytest.raises(HubError, match="does not describe"):
            open_checkpoint(REPO)
