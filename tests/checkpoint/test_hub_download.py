"""One file from a Hub that misbehaves: whole and right, or an error and what can be continued."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint.hub.connection import Line, Stopped
from qwq_gguf.checkpoint.hub.download import Download, partial_path
from qwq_gguf.checkpoint.hub.retry import RetryPolicy
from qwq_gguf.checkpoint.hub.settings import hub_settings
from qwq_gguf.checkpoint.hub.snapshot import HubSnapshot, open_snapshot
from qwq_gguf.errors import (
    DiskSpaceError,
    HubAccessError,
    HubConnectionError,
    HubError,
    HubNotFoundError,
    OutputError,
    ShardError,
)
from support.hub import Fault, LoopbackHub

REPO = "org/name"
NAME = "model-00001-of-00002.safetensors"
CONTENT = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(9000))  # 288 kB
DIGEST = hashlib.sha256(CONTENT).hexdigest()
POLICY = RetryPolicy(3, 1.0, 60.0, 600.0, silence=5.0, progress=10_000)


@dataclass
class Bench:
    """A download into `path`, with a clock of its own."""

    snapshot: HubSnapshot
    path: Path
    name: str = NAME
    size: int = len(CONTENT)
    waits: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    @property
    def partial(self) -> Path:
        return partial_path(self.path, self.snapshot.files[self.name], self.snapshot.commit)

    def run(self, policy: RetryPolicy = POLICY, line: Line | None = None) -> str:
        return Download(
            self.snapshot,
            self.snapshot.files[self.name],
            self.path,
            self.size,
            policy=policy,
            line=line or Line(pause=self.waits.append),
            report=self.positions.append,
        ).run()

    def left(self) -> list[str]:
        return sorted(path.name for path in self.path.parent.iterdir())


@pytest.fixture
def bench(hub: LoopbackHub, tmp_path: Path) -> Bench:
    hub.add(REPO, {NAME: CONTENT, "README.md": b"hello"})
    folder = tmp_path / "shards"
    folder.mkdir()
    return Bench(open_snapshot(hub_settings(), REPO), folder / NAME)


def spans(hub: LoopbackHub) -> list[str | None]:
    return [request.span for request in hub.seen("file=")]


def whole(bench: Bench) -> None:
    assert bench.path.read_bytes() == CONTENT
    assert bench.left() == [NAME]


def test_a_file_comes_whole(hub: LoopbackHub, bench: Bench) -> None:
    assert bench.run() == DIGEST
    whole(bench)
    assert spans(hub) == [None]
    assert bench.positions[-1] == len(CONTENT)
    assert not hub.seen("resolve/main")
    assert bench.waits == []


def test_what_is_there_is_hashed_and_continued(hub: LoopbackHub, bench: Bench) -> None:
    bench.partial.write_bytes(CONTENT[:100_000])
    assert bench.run() == DIGEST
    whole(bench)
    assert spans(hub) == ["bytes=100000-"]


def test_a_whole_file_is_hashed_and_not_fetched(hub: LoopbackHub, bench: Bench) -> None:
    bench.path.write_bytes(CONTENT)
    assert bench.run() == DIGEST
    bench.path.rename(bench.partial)
    assert bench.run() == DIGEST
    whole(bench)
    assert spans(hub) == []


@pytest.mark.parametrize("left", ["begun", "complete", "longer", "whole"])
def test_a_flipped_bit_in_what_is_there_is_found(hub: LoopbackHub, bench: Bench, left: str) -> None:
    bad = bytearray(CONTENT)
    bad[70_000] ^= 4
    count = {"begun": 100_000, "longer": len(CONTENT)}.get(left, len(CONTENT))
    path = bench.path if left == "whole" else bench.partial
    path.write_bytes(bytes(bad[:count]) + (b"more" if left == "longer" else b""))
    assert bench.run() == DIGEST
    whole(bench)
    assert spans(hub)[-1] is None


@pytest.mark.parametrize("cut", [0, 1, 65_536, 200_000])
def test_a_cut_connection_is_taken_up(hub: LoopbackHub, bench: Bench, cut: int) -> None:
    hub.faults.append(Fault("file=", cut_after=cut, times=1))
    assert bench.run() == DIGEST
    whole(bench)
    assert spans(hub) == [None, f"bytes={cut}-" if cut else None]
    assert bench.waits == [1.0]


def test_progress_begins_the_count_anew(hub: LoopbackHub, bench: Bench) -> None:
    hub.faults.append(Fault("file=", cut_after=20_000))
    assert bench.run() == DIGEST
    whole(bench)
    assert len(spans(hub)) == 15
    assert bench.waits == [1.0] * 14


def test_no_progress_is_given_up(hub: LoopbackHub, bench: Bench) -> None:
    hub.faults.append(Fault("file=", cut_after=100))
    with pytest.raises(HubConnectionError, match="broke off") as caught:
        bench.run()
    assert bench.waits == [1.0, 2.0, 4.0]
    assert "run the same command again" in (caught.value.hint or "")
    assert bench.partial.read_bytes() == CONTENT[:400]
    assert bench.left() == [bench.partial.name]
    hub.faults.clear()
    assert bench.run() == DIGEST
    assert spans(hub)[-1] == "bytes=400-"


def test_starting_over_again_and_again_is_no_progress(hub: LoopbackHub, bench: Bench) -> None:
    """A server without ranges that always breaks off would else be asked for ever."""
    hub.faults.append(Fault("file=", cut_after=100_000, ignore_range=True))
    with pytest.raises(HubConnectionError, match="broke off"):
        bench.run()
    # The first failure came after progress, and is the first of the row all the same.
    assert len(spans(hub)) == 4
    assert max(bench.positions) == 100_000


def test_a_server_without_ranges_starts_over(hub: LoopbackHub, bench: Bench) -> None:
    bench.partial.write_bytes(CONTENT[:100_000])
    hub.faults.append(Fault("file=", ignore_range=True))
    assert bench.run() == DIGEST
    whole(bench)
    assert spans(hub) == ["bytes=100000-"]
    assert 0 in bench.positions


@pytest.mark.parametrize("shift", [-1, 1, 64])
def test_another_part_than_asked_for(hub: LoopbackHub, bench: Bench, shift: int) -> None:
    """Then it is had from the start, without a range."""
    bench.partial.write_bytes(CONTENT[:100_000])
    hub.faults.append(Fault("file=", shift=shift))
    assert bench.run() == DIGEST
    whole(bench)
    assert spans(hub) == ["bytes=100000-", None]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_refusal_is_waited_out(hub: LoopbackHub, bench: Bench, status: int) -> None:
    hub.faults.append(Fault("resolve", status=status, times=3))
    assert bench.run() == DIGEST
    assert bench.waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_says_how_long(hub: LoopbackHub, bench: Bench, status: int) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    hub.faults += [
        Fault("file=", status=status, headers={"Retry-After": "37"}, times=1),
        Fault("file=", status=status, headers={"Retry-After": date}, times=1),
        Fault("file=", status=status, headers={"RateLimit": '"resolvers";r=0;t=55'}, times=1),
    ]
    assert bench.run() == DIGEST
    first, second, third = bench.waits
    assert (first, third) == (37.0, 55.0)
    assert 290 <= second <= 300


def test_a_wait_beyond_the_cap_is_left_to_the_user(hub: LoopbackHub, bench: Bench) -> None:
    bench.partial.write_bytes(CONTENT[:100])
    hub.faults.append(Fault("file=", status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(HubConnectionError, match="answered 429") as caught:
        bench.run()
    assert bench.waits == []
    assert "try again in 3600 seconds" in (caught.value.hint or "")
    assert bench.left() == [bench.partial.name]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_no_passing_fault(hub: LoopbackHub, bench: Bench, status: int) -> None:
    bench.partial.write_bytes(CONTENT[:100])
    hub.faults.append(Fault("resolve", status=status))
    with pytest.raises(HubError):
        bench.run()
    assert len(hub.seen("resolve")) == 1
    assert bench.waits == []


def test_access_that_ends(hub: LoopbackHub, bench: Bench) -> None:
    hub.repositories[REPO].gated = True
    with pytest.raises(HubAccessError, match="gated") as caught:
        bench.run()
    assert f"{hub.url}/{REPO}" in (caught.value.hint or "")
    assert "hf auth login" in (caught.value.hint or "")


def test_a_commit_that_vanishes(hub: LoopbackHub, bench: Bench) -> None:
    hub.faults.append(Fault("file=", cut_after=100_000, times=1))
    line = Line(pause=lambda seconds: hub.repositories[REPO].commits.clear())
    with pytest.raises(HubNotFoundError, match="no such revision") as caught:
        bench.run(line=line)
    assert caught.value.found == bench.snapshot.commit


def test_a_branch_that_moves_on_has_no_effect(hub: LoopbackHub, bench: Bench) -> None:
    hub.faults.append(Fault("file=", cut_after=100_000, times=1))
    line = Line(pause=lambda seconds: hub.add(REPO, {NAME: CONTENT[::-1]}))
    assert bench.run(line=line) == DIGEST
    whole(bench)


# ------------------------------------------------------------ wrong content


def test_a_wrong_digest_is_tried_once_more(hub: LoopbackHub, bench: Bench) -> None:
    bad = CONTENT[:-1] + b"?"
    hub.faults.append(Fault("file=", body=bad, times=1))
    assert bench.run() == DIGEST
    whole(bench)
    assert spans(hub) == [None, None]


def test_a_wrong_digest_twice_is_an_error(hub: LoopbackHub, bench: Bench) -> None:
    bad = CONTENT[:-1] + b"?"
    hub.faults.append(Fault("file=", body=bad))
    with pytest.raises(ShardError, match="not the file that the Hub lists") as caught:
        bench.run()
    assert caught.value.path == f"{REPO}/{NAME}"
    assert caught.value.found == f"sha256 {hashlib.sha256(bad).hexdigest()}"
    assert caught.value.expected == DIGEST
    assert bench.left() == []
    assert len(spans(hub)) == 2


@pytest.mark.parametrize("body", [b"", CONTENT[:-1], CONTENT + b"?", b"<html>please log in</html>"])
def test_another_size_than_listed(hub: LoopbackHub, bench: Bench, body: bytes) -> None:
    bench.partial.write_bytes(CONTENT[:10])
    hub.faults.append(Fault("file=", body=body))
    with pytest.raises(HubConnectionError, match="not of the size") as caught:
        bench.run()
    assert caught.value.found == f"{len(body):,} bytes"
    assert caught.value.expected == f"{len(CONTENT):,} bytes"
    assert bench.partial.read_bytes() == CONTENT[:10]


def test_more_bytes_than_listed_are_not_written(hub: LoopbackHub, bench: Bench) -> None:
    largest = 0

    def watch(request: Any) -> None:
        nonlocal largest
        sizes = [path.stat().st_size for path in bench.path.parent.iterdir()]
        largest = max([largest, *sizes])

    hub.watch = watch
    hub.faults.append(Fault("file=", pad=1 << 20))
    assert bench.run() == DIGEST
    whole(bench)
    assert largest <= len(CONTENT)


def test_a_short_body_of_no_said_length(hub: LoopbackHub, bench: Bench) -> None:
    """Ended by the connection's end, one byte of padding included."""
    hub.faults.append(Fault("file=", body=CONTENT[:1000], pad=1, times=1))
    assert bench.run() == DIGEST
    # The padding was taken for content, so the digest was wrong once.
    assert spans(hub) == [None, "bytes=1001-", None]


def test_a_small_file_of_git_is_checked_by_its_blob(hub: LoopbackHub, bench: Bench) -> None:
    small = Bench(bench.snapshot, bench.path.with_name("README.md"), "README.md", 5)
    assert small.snapshot.files["README.md"].blob is not None
    hub.faults.append(Fault("README", body=b"jello", times=1))
    assert small.run() == hashlib.sha256(b"hello").hexdigest()
    hub.faults[:] = [Fault("README", body=b"jello")]
    small.path.unlink()
    with pytest.raises(ShardError, match="not the file") as caught:
        small.run()
    assert (caught.value.found or "").startswith("git blob")


def test_without_a_digest_the_size_is_all(hub: LoopbackHub, bench: Bench) -> None:
    file = replace(bench.snapshot.files[NAME], sha256=None)
    snapshot = replace(bench.snapshot, files={NAME: file})
    assert Bench(snapshot, bench.path).run() == DIGEST
    whole(bench)


# ---------------------------------------------------------- slow and stopped


def test_a_stalled_connection_is_taken_up(hub: LoopbackHub, bench: Bench) -> None:
    hub.faults.append(Fault("file=", stall_after=65_536, stall=30.0, times=1))
    assert bench.run(replace(POLICY, silence=0.5)) == DIGEST
    whole(bench)
    assert spans(hub) == [None, "bytes=65536-"]


def test_a_server_that_stays_silent(hub: LoopbackHub, bench: Bench) -> None:
    hub.faults.append(Fault("file=", stall_after=0, stall=30.0))
    with pytest.raises(HubConnectionError, match="does not answer in time"):
        bench.run(replace(POLICY, silence=0.05))


def test_a_trickle_is_no_download(hub: LoopbackHub, bench: Bench) -> None:
    times = iter(range(0, 10**6, 100))
    line = Line(pause=bench.waits.append, clock=lambda: float(next(times)))
    with pytest.raises(HubConnectionError, match="too slow"):
        bench.run(replace(POLICY, slow_bytes=1 << 30, progress=1 << 30), line)
    assert len(bench.waits) == 3


def test_stop_ends_a_read_that_blocks(hub: LoopbackHub, bench: Bench) -> None:
    """At once, long before the timeout."""
    hub.faults.append(Fault("file=", stall_after=65_536, stall=60.0))
    line = Line()
    stalled = threading.Event()

    def reached(position: int) -> None:
        if position >= 65_536:
            stalled.set()

    ended: list[BaseException] = []

    def work() -> None:
        file = bench.snapshot.files[NAME]
        policy = replace(POLICY, silence=60.0)
        try:
            Download(
                bench.snapshot,
                file,
                bench.path,
                bench.size,
                policy=policy,
                line=line,
                report=reached,
            ).run()
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert stalled.wait(30)
    line.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert [type(error) for error in ended] == [Stopped]
    assert bench.partial.read_bytes() == CONTENT[:65_536]
    with pytest.raises(Stopped):
        bench.run(line=line)


def test_stop_ends_a_wait(hub: LoopbackHub, bench: Bench) -> None:
    hub.faults.append(Fault("file=", status=503, headers={"Retry-After": "600"}))
    line = Line()
    threading.Timer(0.1, line.stop).start()
    with pytest.raises(Stopped):
        bench.run(line=line)


# ------------------------------------------------------------------ the disk


def test_a_full_disk(hub: LoopbackHub, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    write, room = os.write, 100_000

    def full(descriptor: int, data: Any) -> int:
        nonlocal room
        if len(data) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        room -= len(data)
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(DiskSpaceError, match="became full") as caught:
            bench.run()
    assert caught.value.path == str(bench.path.parent)
    assert "bytes more" in (caught.value.expected or "")
    assert bench.waits == []  # no fault of the Hub's
    assert bench.run() == DIGEST
    whole(bench)


def test_a_file_larger_than_the_disk_takes(
    hub: LoopbackHub, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As FAT does: making room would not help."""

    def refuse(descriptor: int, data: Any) -> int:
        raise OSError(errno.EFBIG, "File too large")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        with pytest.raises(OutputError, match="larger than a file may be") as caught:
            bench.run()
    assert "another disk" in str(caught.value)
    assert bench.run() == DIGEST
    whole(bench)


def test_a_folder_that_cannot_be_written(hub: LoopbackHub, bench: Bench) -> None:
    bench.path.parent.rmdir()
    bench.path.parent.write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        bench.run()
    assert spans(hub) == []


def test_a_link_is_not_followed(hub: LoopbackHub, bench: Bench, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    bench.partial.symlink_to(precious)
    with pytest.raises(OutputError):
        bench.run()
    assert precious.read_bytes() == b"mine"


def test_compressed_bytes_are_refused(hub: LoopbackHub, bench: Bench) -> None:
    hub.faults.append(Fault("file=", encoding="gzip"))
    with pytest.raises(HubError, match="compresses"):
        bench.run()
    assert len(spans(hub)) == 1
