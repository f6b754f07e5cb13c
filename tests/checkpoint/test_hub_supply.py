"""Shards that come while they are needed: in order, two at a time, and what ends it early."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise, zip_longest
from pathlib import Path

import pytest

from qwq_gguf.checkpoint import Checkpoint, open_checkpoint
from qwq_gguf.checkpoint.hub.checkpoint import fetch_weights
from qwq_gguf.checkpoint.hub.connection import Line
from qwq_gguf.checkpoint.hub.fetch import SPARE, DownloadProgress, fetch
from qwq_gguf.checkpoint.hub.retry import PATIENT
from qwq_gguf.checkpoint.hub.stream import check_room, peak_bytes, streamed, unlisted
from qwq_gguf.checkpoint.hub.stream_folder import stream_folder
from qwq_gguf.checkpoint.hub.supply import HubSupply
from qwq_gguf.errors import (
    DiskSpaceError,
    HubConnectionError,
    HubError,
    HubNotFoundError,
    HubOfflineError,
    OutputError,
    ShardError,
    SourceError,
)
from support.checkpoints import Shape, write_checkpoint
from support.hub import Fault, LoopbackHub

REPO = "Qwen/QwQ-Tiny"
SHAPE = Shape(hidden=256, layers=2, heads=4, kv_heads=2, feed_forward=512)
COUNT = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(
        tmp_path_factory.mktemp("checkpoint") / "QwQ-Tiny", shape=SHAPE, shards=COUNT
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return stream_folder(tmp_path / "out.gguf")


@pytest.fixture
def checkpoint(hub: LoopbackHub, folder: Path, place: Path) -> Checkpoint:
    hub.add_folder(REPO, folder)
    return streamed(open_checkpoint(REPO), place)


def supply(checkpoint: Checkpoint, **settings: object) -> HubSupply:
    return HubSupply(checkpoint, line=Line(pause=lambda seconds: None), **settings)  # type: ignore[arg-type]


def weights(place: Path) -> list[str]:
    return sorted(
        path.name for path in place.rglob("*") if path.is_file() and path.suffix != ".sha256"
    )


def sizes_in(place: Path) -> list[int]:
    """Of every file that is there at this moment, while others come and go."""
    found = {}  # one that is renamed meanwhile may be listed by both names
    for path in place.rglob("*"):
        with suppress(OSError):
            if path.suffix != ".sha256":  # of shards that have gone
                file = path.stat()
                found[file.st_ino] = file.st_size
    return list(found.values())


def downloaded(hub: LoopbackHub) -> list[str]:
    """What was asked for in whole, in order; headers are asked for by range."""
    return [request.path.rsplit("=")[-1] for request in hub.seen("file=") if not request.span]


def names(checkpoint: Checkpoint) -> list[str]:
    return [path.name for path in checkpoint.shards]


def test_where_shards_lie(hub: LoopbackHub, folder: Path, place: Path, tmp_path: Path) -> None:
    hub.add_folder(REPO, folder)
    plain = open_checkpoint(REPO)
    checkpoint = streamed(plain, place)
    assert place == tmp_path / ".out.gguf.shards"
    assert checkpoint.shards == tuple(place / path.name for path in plain.shards)
    assert checkpoint.hub is not None
    assert [checkpoint.hub.name_of(path) for path in checkpoint.shards] == names(plain)
    assert [
        replace(info, shard=plain.folder / info.shard.name) for info in checkpoint.tensors.values()
    ] == [*plain.tensors.values()]
    assert not place.exists()
    local = open_checkpoint(folder)
    assert streamed(local, place) is local


def test_shards_come_in_order_two_at_a_time(
    hub: LoopbackHub, checkpoint: Checkpoint, folder: Path, place: Path
) -> None:
    sizes = {path.name: path.stat().st_size for path in folder.glob("*.safetensors")}
    most_files, most_bytes = 0, 0

    def watch(request: object = None) -> None:
        nonlocal most_files, most_bytes
        found = sizes_in(place)
        most_files, most_bytes = max(most_files, len(found)), max(most_bytes, sum(found))

    def report(progress: DownloadProgress) -> None:
        watch()
        reports.append(progress)

    hub.watch = watch
    reports: list[DownloadProgress] = []
    with supply(checkpoint, progress=report) as shards:
        shards.begin(checkpoint.shards)
        for path, after in zip_longest(checkpoint.shards, checkpoint.shards[1:]):
            shards.bring(path)
            shards.bring(after or path)  # so that both lie there
            watch()
            assert path.read_bytes() == (folder / path.name).read_bytes()
            content = path.read_bytes()
            assert shards.passed(path) == (hashlib.sha256(content).hexdigest(), len(content))
            assert len(weights(place)) <= 2
            shards.done(path)
            assert not path.exists()
    assert not place.exists()
    assert downloaded(hub) == names(checkpoint)
    assert most_files == 2
    assert most_bytes == peak_bytes(checkpoint)
    assert (reports[-1].done, reports[-1].total) == (sum(sizes.values()),) * 2
    assert [report.done for report in reports] == sorted(report.done for report in reports)
    assert {report.file for report in reports} == set(sizes)


def test_the_third_waits_for_the_first(
    hub: LoopbackHub, checkpoint: Checkpoint, place: Path
) -> None:
    first, second, third, *_ = checkpoint.shards
    with supply(checkpoint) as shards:
        shards.begin(checkpoint.shards)
        shards.bring(second)
        assert downloaded(hub) == [first.name, second.name]
        shards.done(second)  # in any order
        shards.bring(third)
        assert weights(place)[:2] == [first.name, third.name]
    assert downloaded(hub)[:3] == [first.name, second.name, third.name]


def test_only_what_is_needed_comes(hub: LoopbackHub, checkpoint: Checkpoint, place: Path) -> None:
    wanted = checkpoint.shards[3:]
    with supply(checkpoint) as shards:
        shards.begin(wanted)
        for path in wanted:
            shards.bring(path)
            shards.done(path)
        with pytest.raises(ValueError, match="none of the shards"):
            shards.bring(checkpoint.shards[0])
    assert downloaded(hub) == [path.name for path in wanted]
    assert not place.exists()


def test_nothing_needed_needs_nothing(checkpoint: Checkpoint, place: Path) -> None:
    with supply(checkpoint) as shards:
        shards.begin(())
    assert not place.exists()


def test_what_is_in_the_cache_is_used_and_stays(
    hub: LoopbackHub, folder: Path, place: Path
) -> None:
    hub.add_folder(REPO, folder)
    plain = open_checkpoint(REPO)
    assert plain.hub is not None
    cached = names(plain)[1:3]
    fetch(plain.hub, cached)
    asked = len(hub.requests)
    checkpoint = streamed(plain, place)
    assert [path.parent == plain.folder for path in checkpoint.shards] == [
        name in cached for name in names(plain)
    ]
    with supply(checkpoint) as shards:
        shards.begin(checkpoint.shards)
        for path in checkpoint.shards:
            shards.bring(path)
            assert path.read_bytes() == (folder / path.name).read_bytes()
            shards.done(path)
    assert all((plain.folder / name).is_file() for name in cached)
    fresh = [
        request.path.rsplit("=")[-1]
        for request in hub.requests[asked:]
        if request.host == "storage"
    ]
    assert fresh == [name for name in names(plain) if name not in cached]
    fetch_weights(plain)
    whole = streamed(open_checkpoint(REPO), place)
    assert whole.shards == plain.shards
    assert peak_bytes(whole) == 0


def test_what_an_earlier_run_left_is_used(
    hub: LoopbackHub, checkpoint: Checkpoint, folder: Path, place: Path
) -> None:
    first, second = checkpoint.shards[:2]
    hub.faults += [
        Fault(f"file={second.name}", cut_after=70_000, times=1),
        Fault(f"file={second.name}", status=410),
    ]
    with supply(checkpoint) as shards:
        shards.begin(checkpoint.shards)
        shards.bring(first)
        with pytest.raises(HubError, match="answered 410"):
            shards.bring(second)
    assert weights(place)[0] == first.name
    assert len(weights(place)) == 2
    hub.faults.clear()
    (place / "notes.txt").write_text("somebody's")
    (place / "model-00009-of-00009.safetensors").write_bytes(b"of another revision")
    (place / f"{first.name}.0000000000000000.incomplete").write_bytes(b"of another commit")
    asked = len(hub.requests)
    with supply(checkpoint) as shards:
        shards.begin(checkpoint.shards)
        shards.bring(first)
        for path in checkpoint.shards:
            shards.bring(path)
            assert path.read_bytes() == (folder / path.name).read_bytes()
            shards.done(path)
    asked_for = hub.requests[asked:]
    assert all(first.name not in request.path for request in asked_for)
    assert (
        next(request.span for request in asked_for if request.host == "storage") == "bytes=70000-"
    )
    assert weights(place) == ["notes.txt"]


def test_of_many_left_two_are_kept(checkpoint: Checkpoint, folder: Path, place: Path) -> None:
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns("*.json"))
    with supply(checkpoint) as shards:
        shards.begin(checkpoint.shards[1:])
        assert weights(place)[:1] != [checkpoint.shards[0].name]
        # A digest may be on its way to its name.
        assert len([name for name in weights(place) if not name.endswith(".partial")]) == 2


# ------------------------------------------------------------------ early ends


def test_an_error_reaches_who_waits_and_not_who_has(
    hub: LoopbackHub, checkpoint: Checkpoint, place: Path
) -> None:
    commit = checkpoint.hub.commit if checkpoint.hub else ""
    first, second, third, *_ = checkpoint.shards
    del hub.repositories[REPO].commits[commit][second.name]
    with supply(checkpoint) as shards:
        shards.begin(checkpoint.shards)
        for path in (second, third):
            with pytest.raises(HubNotFoundError, match="no such file"):
                shards.bring(path)
        shards.bring(first)
        shards.done(first)
    assert weights(place) == []
    assert [path.name for path in place.iterdir()] == [f"{first.name}.sha256"]


def test_a_fault_that_lasts_leaves_what_can_be_continued(
    hub: LoopbackHub, checkpoint: Checkpoint, place: Path
) -> None:
    first = checkpoint.shards[0]
    hub.faults.append(Fault(f"file={first.name}", cut_after=1000))
    policy = replace(PATIENT, retries=1)
    with supply(checkpoint, policy=policy) as shards:
        shards.begin(checkpoint.shards)
        with pytest.raises(HubConnectionError, match="broke off"):
            shards.bring(first)
    (left,) = weights(place)
    assert left.startswith(f"{first.name}.")
    assert left.endswith(".incomplete")
    assert (place / left).stat().st_size == 2000


@pytest.mark.parametrize("end", ["stop", "exit"])
def test_the_end_ends_who_waits(
    hub: LoopbackHub, checkpoint: Checkpoint, place: Path, end: str
) -> None:
    hub.faults.append(Fault("file=", stall_after=65_536, stall=60.0))
    problems: list[BaseException] = []
    asked = threading.Event()

    def wait(shards: HubSupply) -> None:
        asked.set()
        try:
            shards.bring(checkpoint.shards[0])
        except BaseException as problem:
            problems.append(problem)

    with supply(checkpoint, policy=replace(PATIENT, silence=60.0)) as shards:
        shards.begin(checkpoint.shards)
        thread = threading.Thread(target=wait, args=(shards,), daemon=True)
        thread.start()
        assert asked.wait(30)
        if end == "stop":
            shards.stop()
            thread.join(30)
            assert not thread.is_alive()
    thread.join(30)
    (problem,) = problems
    assert isinstance(problem, SourceError)
    assert problem.message == "the download was stopped"
    assert not [thread for thread in threading.enumerate() if thread.name == "download"]


def test_other_weights_than_planned(
    hub: LoopbackHub, folder: Path, place: Path, checkpoint: Checkpoint
) -> None:
    """A Hub that lists another file's digest would pass; its header does not."""
    assert checkpoint.hub is not None
    first = checkpoint.shards[0]
    content = (folder / first.name).read_bytes().replace(b'"BF16"', b'"F16" ', 1)
    file = replace(checkpoint.hub.files[first.name], sha256=hashlib.sha256(content).hexdigest())
    fooled = replace(
        checkpoint, hub=replace(checkpoint.hub, files={**checkpoint.hub.files, first.name: file})
    )
    hub.faults.append(Fault(f"file={first.name}", body=content))
    with supply(fooled) as shards:
        shards.begin(fooled.shards)
        with pytest.raises(ShardError, match="not the one that was planned with"):
            shards.bring(first)
    assert not place.exists()


def begin_and_leave(shards: HubSupply, checkpoint: Checkpoint) -> None:
    with shards:
        shards.begin(checkpoint.shards)


def test_two_runs_do_not_share_a_folder(checkpoint: Checkpoint, place: Path) -> None:
    with supply(checkpoint) as shards:
        shards.begin(checkpoint.shards)
        shards.bring(checkpoint.shards[0])
        with pytest.raises(OutputError, match="another run") as caught:
            begin_and_leave(supply(checkpoint), checkpoint)
        # Nobody is told to delete what the first works on.
        assert not getattr(caught.value, "__notes__", [])
        assert checkpoint.shards[0].is_file()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_folder_that_is_none(
    hub: LoopbackHub, checkpoint: Checkpoint, place: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.write_bytes(b"mine")
    asked = len(hub.requests)
    with supply(checkpoint) as shards:
        with pytest.raises(OutputError) as caught:
            shards.begin(checkpoint.shards)
        assert caught.value.path == str(place)
    assert place.exists()
    assert len(hub.requests) == asked


def test_offline_there_is_nothing_to_stream(
    hub: LoopbackHub, folder: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add_folder(REPO, folder)
    plain = open_checkpoint(REPO)
    fetch_weights(plain)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    cached = open_checkpoint(REPO)
    assert streamed(cached, place).shards == plain.shards
    plain.shards[0].unlink()
    with pytest.raises(HubOfflineError):
        streamed(cached, place)


# ---------------------------------------------------------------------- room


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    usage = shutil.disk_usage(tmp_path)

    def have(count: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=count))

    return have


def test_the_room_is_the_result_s_and_two_shards(
    checkpoint: Checkpoint, folder: Path, free: Callable[[int], None], place: Path
) -> None:
    sizes = [(folder / name).stat().st_size for name in names(checkpoint)]
    peak = max(first + second for first, second in pairwise(sizes))
    assert peak_bytes(checkpoint) == peak
    assert peak_bytes(checkpoint, checkpoint.shards[:1]) == sizes[0]
    assert sum(sizes) > 2 * peak
    needed = 10**6 + peak + SPARE
    free(needed)
    check_room(checkpoint, 10**6)
    free(needed - 1)
    with pytest.raises(DiskSpaceError) as caught:
        check_room(checkpoint, 10**6)
    assert caught.value.path == str(place.parent)
    assert caught.value.found == f"{needed - 1:,} bytes free"
    assert caught.value.expected == (
        f"{needed:,} bytes: 1,000,000 for the result, {peak:,} for the shards at one time, "
        f"{SPARE:,} to spare"
    )
    check_room(checkpoint, 10**6, present=1)
    free(needed - 1001)
    with pytest.raises(DiskSpaceError) as caught:
        check_room(checkpoint, 10**6, present=1000)
    assert (
        caught.value.found
        == f"{needed - 1001:,} bytes free, and 1,000 bytes taken for this already"
    )
    free(needed - 1)
    check_room(checkpoint, 10**6, present=10**9)
    check_room(checkpoint, 10**6, shards=checkpoint.shards[:1])
    # The room is looked for again when the shards are known that are needed.
    free(peak + SPARE - 1)
    with supply(checkpoint) as shards, pytest.raises(DiskSpaceError, match="the disk has"):
        shards.begin(checkpoint.shards)
    assert not place.exists()
    free(needed - 1)
    # A shard that is here already needs no more.
    place.mkdir()
    shutil.copy(folder / names(checkpoint)[0], place)
    check_room(checkpoint, 10**6)


def test_a_mirror_without_digests_or_sizes(hub: LoopbackHub, folder: Path, place: Path) -> None:
    hub.add_folder(
        REPO,
        folder,
        edit_listing=lambda right: (
            right | {"siblings": [{"rfilename": file["rfilename"]} for file in right["siblings"]]}
        ),
    )
    checkpoint = streamed(open_checkpoint(REPO), place)
    assert unlisted(checkpoint) == names(checkpoint)
    sizes = [(folder / name).stat().st_size for name in names(checkpoint)]
    assert peak_bytes(checkpoint) == max(map(sum, pairwise(sizes)))
    hub.faults.append(Fault("file=", cut_after=70_000, times=1))
    with supply(checkpoint) as shards:
        shards.begin(checkpoint.shards)
        for path in checkpoint.shards:
            shards.bring(path)
            assert path.read_bytes() == (folder / path.name).read_bytes()
            shards.done(path)


def test_listed_digests_are_listed(checkpoint: Checkpoint) -> None:
    assert unlisted(checkpoint) == []
