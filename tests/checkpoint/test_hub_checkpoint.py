"""A checkpoint named by its Hub id: planned from headers, fetched when it is needed."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint import ShardReader, open_checkpoint
from qwq_gguf.checkpoint.hub.checkpoint import fetch_weights
from qwq_gguf.checkpoint.hub.fetch import DownloadProgress
from qwq_gguf.checkpoint.hub.snapshot import HubFile
from qwq_gguf.errors import (
    DiskSpaceError,
    HubAccessError,
    HubConnectionError,
    HubError,
    HubNotFoundError,
    HubOfflineError,
    NotACheckpointError,
    ShardError,
    SourceError,
    UnsupportedError,
)
from support.checkpoints import Shape, write_checkpoint
from support.hub import Fault, LoopbackHub

REPO = "Qwen/QwQ-Tiny"
SHAPE = Shape(hidden=64, layers=1, heads=2, kv_heads=1, feed_forward=64)
INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint") / "QwQ-Tiny"
    card = "---\nlicense: mit\n---\n# Hello"
    return write_checkpoint(folder, shape=SHAPE, shards=3, card=card)


@pytest.fixture
def weights(tmp_path: Path) -> Callable[[], list[str]]:
    """The names of the weights that are in the cache."""

    def here() -> list[str]:
        return sorted(
            path.name
            for path in (tmp_path / "hf").rglob("*.safetensors")
            if path.parent.parent.name == "snapshots"
        )

    return here


def test_a_plan_needs_no_weights(
    hub: LoopbackHub, folder: Path, weights: Callable[[], list[str]]
) -> None:
    commit = hub.add_folder(REPO, folder)
    checkpoint = open_checkpoint(REPO)
    local = open_checkpoint(folder)

    assert checkpoint.source == REPO
    assert (checkpoint.organization, checkpoint.name) == ("Qwen", "QwQ-Tiny")
    assert checkpoint.hub is not None
    assert checkpoint.hub.commit == commit
    assert checkpoint.config == local.config
    assert checkpoint.tokenizer == local.tokenizer
    assert checkpoint.chat_template == local.chat_template
    assert checkpoint.card == {"license": "mit"}
    assert list(checkpoint.tensors) == list(local.tensors)
    for name, info in checkpoint.tensors.items():
        assert info == dataclasses.replace(
            local.tensors[name], shard=checkpoint.folder / info.shard.name
        )
    assert weights() == []
    # One ranged read a shard, of a length that has nothing to do with the file's.
    reads = hub.seen("file=")
    assert [request.span for request in reads] == ["bytes=0-65535"] * 3
    assert not hub.seen("resolve/main")


def test_the_weights_come_when_they_are_asked_for(
    hub: LoopbackHub, folder: Path, weights: Callable[[], list[str]]
) -> None:
    hub.add_folder(REPO, folder)
    checkpoint = open_checkpoint(REPO)
    reports: list[DownloadProgress] = []
    fetch_weights(checkpoint, progress=reports.append)

    assert weights() == sorted(path.name for path in folder.glob("*.safetensors"))
    total = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    assert {report.total for report in reports} == {total}
    assert reports[-1].done == total
    assert [report.done for report in reports] == sorted(report.done for report in reports)
    local = open_checkpoint(folder)
    with ShardReader() as reader:
        for name, info in checkpoint.tensors.items():
            assert reader.read(info) == reader.read(local.tensors[name])

    asked = len(hub.requests)
    fetch_weights(checkpoint)
    assert len(hub.requests) == asked
    again = open_checkpoint(REPO)
    assert again.tensors == checkpoint.tensors
    assert [request.line for request in hub.requests[asked:]] == [
        f"GET /api/models/{REPO}/revision/main?blobs=true"
    ]


def test_a_folder_has_its_weights(folder: Path) -> None:
    fetch_weights(open_checkpoint(folder))


def test_the_branch_may_move_on(hub: LoopbackHub, folder: Path, tmp_path: Path) -> None:
    first = hub.add_folder(REPO, folder)
    checkpoint = open_checkpoint(REPO)
    other = write_checkpoint(tmp_path / "other", shape=SHAPE, shards=3, seed=1)
    hub.add_folder(REPO, other)
    fetch_weights(checkpoint)
    assert checkpoint.folder.name == first
    assert (checkpoint.folder / checkpoint.shards[0].name).read_bytes() == (
        folder / checkpoint.shards[0].name
    ).read_bytes()
    assert open_checkpoint(REPO).folder.name != first


@pytest.mark.parametrize("form", ["Qwen/QwQ-Tiny@refs/pr/1", "option"])
def test_a_revision(hub: LoopbackHub, folder: Path, form: str) -> None:
    hub.add(REPO, {"config.json": b"{}"})
    commit = hub.add_folder(REPO, folder, branch="refs/pr/1")
    if form == "option":
        checkpoint = open_checkpoint(REPO, revision="refs/pr/1")
    else:
        checkpoint = open_checkpoint(form)
    assert checkpoint.folder.name == commit
    assert open_checkpoint(f"hf.co/{REPO}", revision=commit).folder.name == commit
    assert open_checkpoint(f"{hub.url}/{REPO}/tree/{commit}").folder.name == commit


def test_two_revisions_are_one_too_many(hub: LoopbackHub) -> None:
    with pytest.raises(SourceError, match="two revisions"):
        open_checkpoint(f"{REPO}@main", revision="v2")
    assert hub.requests == []


def test_what_is_on_the_disk_goes_first(
    hub: LoopbackHub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path / "Qwen" / "QwQ-Tiny")
    assert open_checkpoint(REPO).hub is None
    with pytest.raises(SourceError, match="only a model on the Hub has revisions"):
        open_checkpoint(REPO, revision="main")
    with pytest.raises(SourceError, match="only a model on the Hub has revisions"):
        open_checkpoint("demo", revision="main")
    assert hub.requests == []


@pytest.mark.parametrize(
    "name", ["QwQ-32B", "./Qwen/none", "a/b/c", "models/x.gguf", "Qwen/", "x\0y", Path(REPO)]
)
def test_what_is_plainly_a_path_asks_nobody(hub: LoopbackHub, name: str | Path) -> None:
    with pytest.raises(NotACheckpointError):
        open_checkpoint(name)
    assert hub.requests == []


def test_a_bare_name_is_told_how_the_hub_calls_models(hub: LoopbackHub) -> None:
    with pytest.raises(NotACheckpointError, match="no such folder") as caught:
        open_checkpoint("QwQ-32B")
    assert "org/QwQ-32B" in (caught.value.hint or "")


def test_a_quant_is_no_checkpoint(hub: LoopbackHub) -> None:
    with pytest.raises(NotACheckpointError, match="names a finished GGUF") as caught:
        open_checkpoint(f"{REPO}:Q4_K_M")
    assert f"qwq-gguf quantize {REPO} -r Q4_K_M" in (caught.value.hint or "")
    assert hub.requests == []


def test_nothing_of_that_name(hub: LoopbackHub) -> None:
    with pytest.raises(HubNotFoundError) as caught:
        open_checkpoint("Qwen/QwQ-33B")
    assert "no folder Qwen/QwQ-33B here either" in (caught.value.hint or "")
    with pytest.raises(HubNotFoundError) as caught:
        open_checkpoint("hf.co/Qwen/QwQ-33B")
    assert "folder" not in (caught.value.hint or "")


def test_a_revision_that_is_not_there(hub: LoopbackHub, folder: Path) -> None:
    hub.add_folder(REPO, folder)
    with pytest.raises(HubNotFoundError, match="no such revision") as caught:
        open_checkpoint(f"{REPO}@v9")
    assert caught.value.found == "v9"


def test_a_gated_repository(hub: LoopbackHub, folder: Path) -> None:
    hub.add_folder(REPO, folder, gated=True)
    with pytest.raises(HubAccessError, match="gated") as caught:
        open_checkpoint(REPO)
    assert f"{hub.url}/{REPO}" in (caught.value.hint or "")
    with pytest.raises(HubAccessError, match="gated"):
        open_checkpoint(REPO, token=hub.poor_token)
    checkpoint = open_checkpoint(REPO, token=hub.good_token)
    fetch_weights(checkpoint)
    assert hub.good_token not in repr(checkpoint)


def test_access_may_end_before_the_weights(hub: LoopbackHub, folder: Path) -> None:
    hub.add_folder(REPO, folder)
    checkpoint = open_checkpoint(REPO)
    hub.repositories[REPO].gated = True
    with pytest.raises(HubAccessError, match="gated"):
        fetch_weights(checkpoint)


def test_a_token_is_checked_before_it_travels(hub: LoopbackHub) -> None:
    for token in ("", "two words", "line\nbreak"):
        with pytest.raises(HubAccessError, match="not a token"):
            open_checkpoint(REPO, token=token)
    assert hub.requests == []


@pytest.mark.parametrize("endpoint", ["huggingface.co", "ftp://x", "http://", "http://a b", "x:y"])
def test_an_endpoint_that_is_no_address(
    hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(HubError, match="HF_ENDPOINT"):
        open_checkpoint(REPO)


# ------------------------------------------------------------------ offline


def test_offline_the_cache_is_enough(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_folder(REPO, folder)
    online = open_checkpoint(REPO)
    fetch_weights(online)
    asked = len(hub.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    checkpoint = open_checkpoint(REPO)
    fetch_weights(checkpoint)
    assert checkpoint.tensors == online.tensors
    assert open_checkpoint(f"{REPO}@{online.folder.name}").tensors == online.tensors
    assert len(hub.requests) == asked
    with pytest.raises(HubOfflineError, match="HF_HUB_OFFLINE is set"):
        open_checkpoint(f"{REPO}@v2")


@pytest.mark.parametrize("shards", [1, 2])
def test_offline_a_part_is_not_enough(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shards: int
) -> None:
    hub.add_folder(REPO, write_checkpoint(tmp_path / "x", shape=SHAPE, shards=shards))
    open_checkpoint(REPO)  # the small files are here now
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubOfflineError, match="not all of main"):
        open_checkpoint(REPO)


def test_never_seen_and_offline(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(HubOfflineError) as caught:
        open_checkpoint(REPO)
    assert caught.value.hint == "unset HF_HUB_OFFLINE and try again"
    assert hub.requests == []


def test_a_hub_out_of_order_is_replaced_by_the_cache(hub: LoopbackHub, folder: Path) -> None:
    hub.add_folder(REPO, folder)
    planned = open_checkpoint(REPO)
    hub.faults.append(Fault("", status=503))
    with pytest.raises(HubConnectionError, match="answered 503"):
        open_checkpoint(REPO)
    hub.faults.clear()
    fetch_weights(planned)
    hub.faults.append(Fault("", status=503))
    assert open_checkpoint(REPO).tensors == planned.tensors


def test_a_refusal_is_not_replaced_by_the_cache(hub: LoopbackHub, folder: Path) -> None:
    hub.add_folder(REPO, folder)
    fetch_weights(open_checkpoint(REPO))
    hub.repositories[REPO].private = True
    with pytest.raises(HubNotFoundError):
        open_checkpoint(REPO)


# ------------------------------------------------- repositories of other kinds


def test_repositories_of_other_kinds(hub: LoopbackHub) -> None:
    def refused(kind: type[SourceError], *names: str) -> SourceError:
        hub.add("org/other", dict.fromkeys(names, b"{}"))
        with pytest.raises(kind) as caught:
            open_checkpoint("org/other")
        assert type(caught.value) is kind
        return caught.value

    ggufs = refused(NotACheckpointError, "config.json", "x-Q4_K_M.gguf", "x-Q8_0.gguf")
    assert ggufs.found == "2 GGUF file(s), no safetensors"
    assert "qwq-gguf chat org/other" in (ggufs.hint or "")
    pickles = refused(UnsupportedError, "config.json", "pytorch_model-00001-of-00002.bin")
    assert "pickles" in pickles.message
    adapter = refused(UnsupportedError, "adapter_config.json", "adapter_model.safetensors")
    assert "LoRA" in adapter.message
    assert "no weights" in refused(NotACheckpointError, "config.json", "README.md").message
    assert "no config.json" in refused(NotACheckpointError, "model.safetensors").message
    refused(HubNotFoundError)
    # The listing was enough to know.
    assert not hub.seen("/resolve/")


# ------------------------------------------------------------------ the disk


def test_too_little_room_is_said_before_the_download(
    hub: LoopbackHub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_folder(REPO, folder)
    checkpoint = open_checkpoint(REPO)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=64 << 20))
    asked = len(hub.requests)
    with pytest.raises(DiskSpaceError) as caught:
        fetch_weights(checkpoint)
    needed = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    assert caught.value.found == f"{64 << 20:,} bytes free"
    assert caught.value.expected == f"{needed + (64 << 20):,} bytes for 3 file(s) of {REPO}"
    assert len(hub.requests) == asked


def test_a_cache_that_cannot_be_written(
    hub: LoopbackHub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_folder(REPO, folder)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file" / "hub"))
    with pytest.raises(HubError, match="cache cannot be written"):
        open_checkpoint(REPO)


def test_a_saved_token_that_cannot_be_read(hub: LoopbackHub, tmp_path: Path) -> None:
    (tmp_path / "hf" / "token").mkdir(parents=True)
    with pytest.raises(HubAccessError, match="saved token"):
        open_checkpoint(REPO)
    assert hub.requests == []


def test_a_saved_token_is_sent(hub: LoopbackHub, folder: Path, tmp_path: Path) -> None:
    hub.add_folder(REPO, folder, private=True)
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(hub.good_token)
    fetch_weights(open_checkpoint(REPO))


# ---------------------------------------------------------------- hostility


def listing(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda right: right | changes


def sibling(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda right: right | {"siblings": [right["siblings"][0] | changes]}


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a//b",
        "./a",
        "a\\..\\b",
        "C:/x",
        "a\0b",
        "a/",
        "x" * 1001,
    ],
)
def test_a_file_outside_the_repository(hub: LoopbackHub, name: str) -> None:
    hub.add(REPO, {"config.json": b"{}"}, edit_listing=sibling(rfilename=name))
    with pytest.raises(HubError, match="outside the repository"):
        open_checkpoint(REPO)


@pytest.mark.parametrize(
    "edit",
    [
        lambda right: [],
        lambda right: "x",
        listing(sha=None),
        listing(sha="main"),
        listing(sha="../../x"),
        listing(siblings=None),
        listing(siblings=[None]),
        listing(siblings=["config.json"]),
        listing(siblings=[{"rfilename": "a", "size": 1}] * 2),
        sibling(rfilename=""),
        sibling(rfilename=3),
        sibling(size=-1),
        sibling(size=1 << 60),
        sibling(size="12"),
        sibling(size=True),
        sibling(lfs={"size": 1e30, "sha256": ""}),
    ],
)
def test_a_listing_that_is_nonsense(
    hub: LoopbackHub, edit: Callable[[dict[str, Any]], Any]
) -> None:
    hub.add(REPO, {"config.json": b"{}"}, edit_listing=edit)
    with pytest.raises(HubError, match="does not describe the repository"):
        open_checkpoint(REPO)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b'{"sha": ' + b"9" * 10_000])
def test_a_listing_that_is_no_json(hub: LoopbackHub, body: bytes) -> None:
    hub.add(REPO, {"config.json": b"{}"})
    hub.faults.append(Fault("/api/", body=body))
    with pytest.raises(HubError, match="does not describe the repository"):
        open_checkpoint(REPO)


def test_another_commit_than_the_one_asked_for(hub: LoopbackHub) -> None:
    hub.add(REPO, {"config.json": b"{}"}, edit_listing=listing(sha="b" * 40))
    commit = next(iter(hub.repositories[REPO].commits))
    with pytest.raises(HubError, match="does not describe the repository"):
        open_checkpoint(f"{REPO}@{commit}")


def test_what_the_listing_says_of_files(hub: LoopbackHub, folder: Path) -> None:
    hub.add_folder(REPO, folder)
    snapshot = open_checkpoint(REPO).hub
    assert snapshot is not None
    shard = snapshot.files["model-00001-of-00003.safetensors"]
    assert shard.size == (folder / shard.name).stat().st_size
    assert shard.sha256 is not None
    assert len(shard.sha256) == 64
    assert snapshot.files["config.json"].sha256 is None


def test_a_mirror_without_sizes_will_do(hub: LoopbackHub, folder: Path) -> None:
    hub.add_folder(REPO, folder, edit_listing=without_digests)
    checkpoint = open_checkpoint(REPO)
    assert checkpoint.hub is not None
    assert checkpoint.hub.files["config.json"] == HubFile("config.json")
    fetch_weights(checkpoint)
    assert checkpoint.tensors.keys() == open_checkpoint(folder).tensors.keys()


def test_a_small_file_that_is_not_small(hub: LoopbackHub) -> None:
    hub.add(
        REPO,
        {"config.json": b"{}", "model.safetensors": b""},
        edit_listing=lambda right: (
            right | {"siblings": [{**right["siblings"][0], "size": 1 << 40}, right["siblings"][1]]}
        ),
    )
    with pytest.raises(SourceError, match="too large to be"):
        open_checkpoint(REPO)
    assert not hub.seen("/resolve/")


def test_an_index_that_leads_out(hub: LoopbackHub, folder: Path) -> None:
    for name in ("../../x.safetensors", "/etc/x.safetensors", "sub\\x.safetensors"):
        files: dict[str, bytes | Path] = {path.name: path for path in folder.iterdir()}
        files[INDEX] = json.dumps({"weight_map": {"a": name}}).encode()
        hub.add(REPO, files)
        with pytest.raises(ShardError, match="outside the checkpoint"):
            open_checkpoint(REPO)


def test_an_index_that_names_more_than_there_is(hub: LoopbackHub, folder: Path) -> None:
    files: dict[str, bytes | Path] = {path.name: path for path in folder.iterdir()}
    del files["model-00002-of-00003.safetensors"]
    hub.add(REPO, files)
    with pytest.raises(ShardError, match="named by the index are missing"):
        open_checkpoint(REPO)


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        (b"", "is empty"),
        (b"1234567", "too short"),
        (b"\xff" * 100, "header's length is absurd"),
        ((1000).to_bytes(8, "little") + b"{}", "truncated inside its header"),
        ((2).to_bytes(8, "little") + b"[]", "no JSON object"),
        ((2).to_bytes(8, "little") + b"{x", "not valid JSON"),
        ((2).to_bytes(8, "little") + b"{}more", "goes on after its last tensor"),
    ],
)
def test_a_shard_that_is_none(hub: LoopbackHub, folder: Path, shard: bytes, message: str) -> None:
    files: dict[str, bytes | Path] = {path.name: path for path in folder.glob("*.json")}
    del files[INDEX]
    hub.add(REPO, {**files, "model.safetensors": shard})
    with pytest.raises(ShardError, match=message):
        open_checkpoint(REPO)


def test_a_header_longer_than_the_first_read(
    hub: LoopbackHub, folder: Path, tmp_path: Path
) -> None:
    header = json.dumps({"__metadata__": {"pad": "x" * 100_000}}).encode()
    files: dict[str, bytes | Path] = {path.name: path for path in folder.glob("*.json")}
    del files[INDEX]
    hub.add(REPO, {**files, "model.safetensors": len(header).to_bytes(8, "little") + header})
    assert open_checkpoint(REPO).tensors == {}
    assert [request.span for request in hub.seen("file=")] == [
        "bytes=0-65535",
        f"bytes=0-{len(header) + 7}",
    ]


def test_a_shard_of_another_size_than_listed(hub: LoopbackHub, folder: Path) -> None:
    hub.add_folder(REPO, folder)
    hub.faults.append(Fault("file=model-00002", say_total=20_000))
    with pytest.raises(ShardError, match="not of the size that the Hub lists"):
        open_checkpoint(REPO)


def test_ranges_may_be_ignored(hub: LoopbackHub, folder: Path) -> None:
    hub.add_folder(REPO, folder)
    hub.faults.append(Fault("file=", ignore_range=True))
    assert open_checkpoint(REPO).tensors.keys() == open_checkpoint(folder).tensors.keys()


def test_a_download_cut_short(
    hub: LoopbackHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client's own retries
    hub.add_folder(REPO, folder)
    checkpoint = open_checkpoint(REPO)
    hub.faults.append(Fault("file=model-00002", cut_after=1000, times=1))
    fetch_weights(checkpoint)  # taken up where it broke
    assert (checkpoint.folder / "model-00002-of-00003.safetensors").read_bytes() == (
        folder / "model-00002-of-00003.safetensors"
    ).read_bytes()


def test_a_download_that_never_completes(
    hub: LoopbackHub,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    weights: Callable[[], list[str]],
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.add_folder(REPO, folder)
    checkpoint = open_checkpoint(REPO)
    hub.faults.append(Fault("file=model-00002", cut_after=0))
    with pytest.raises(HubConnectionError):
        fetch_weights(checkpoint)
    assert "model-00002-of-00003.safetensors" not in weights()
    hub.faults.clear()
    fetch_weights(checkpoint)
    assert len(weights()) == 3


def without_digests(right: dict[str, Any]) -> dict[str, Any]:
    """A listing as of a mirror that knows names only."""
    return right | {"siblings": [{"rfilename": file["rfilename"]} for file in right["siblings"]]}


def test_other_weights_than_planned(hub: LoopbackHub, folder: Path) -> None:
    commit = hub.add_folder(REPO, folder, edit_listing=without_digests)
    checkpoint = open_checkpoint(REPO)
    name = "model-00001-of-00003.safetensors"
    content = (folder / name).read_bytes()
    swapped = content.replace(b'"BF16"', b'"F16" ', 1)
    assert len(swapped) == len(content)
    assert swapped != content
    hub.repositories[REPO].commits[commit][name] = swapped
    with pytest.raises(ShardError, match="not the one that was planned with"):
        fetch_weights(checkpoint)


def test_a_vanished_shard(hub: LoopbackHub, folder: Path) -> None:
    commit = hub.add_folder(REPO, folder)
    checkpoint = open_checkpoint(REPO)
    del hub.repositories[REPO].commits[commit]["model-00003-of-00003.safetensors"]
    with pytest.raises(HubNotFoundError, match="no such file"):
        fetch_weights(checkpoint)


def test_the_cache_s_links_lead_to_blobs_that_repositories_share(
    hub: LoopbackHub, folder: Path, tmp_path: Path
) -> None:
    """Xet downloads are links to links: snapshot -> the repository's blob -> cache/blobs/xx/."""
    hub.add_folder(REPO, folder)
    checkpoint = open_checkpoint(REPO)
    fetch_weights(checkpoint)
    shared = tmp_path / "hf" / "hub" / "blobs" / "ab"
    shared.mkdir(parents=True)
    blob = checkpoint.shards[0].resolve()
    store = shared / ("ab" + "0" * 62)
    blob.rename(store)
    blob.symlink_to(os.path.relpath(store, blob.parent))
    assert open_checkpoint(REPO).tensors == checkpoint.tensors
    assert open_checkpoint(checkpoint.folder).tensors == checkpoint.tensors
