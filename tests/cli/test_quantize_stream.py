"""`quantize --stream` and a Hub that misbehaves: the same file, or an error and what resumes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.checkpoint.hub import supply as hub_supply
from qwq_gguf.cli.app import app
from qwq_gguf.verification.manifest import manifest_path
from support.checkpoints import Shape, write_checkpoint
from support.hub import Fault, LoopbackHub
from support.hub_fixtures import hub_environment

REPO = "Qwen/Tiny-1B"
SHAPE = Shape(hidden=256, layers=3, heads=4, kv_heads=2, feed_forward=768)
SHARDS = 5
GGUF = "Tiny-1B-Q4_K_M.gguf"
MANIFEST = manifest_path(Path(GGUF)).name
PRIVATE = f".{GGUF}.shards"
runner = CliRunner()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "Tiny-1B"
    return write_checkpoint(folder, shape=SHAPE, shards=SHARDS)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a download waited, in no time."""
    waited: list[float] = []
    monkeypatch.setattr(
        "qwq_gguf.checkpoint.hub.connection.Line.pause", lambda _, s: waited.append(s)
    )
    return waited


def run(*arguments: object) -> Result:
    return runner.invoke(app, ["quantize", REPO, "--no-modelfile", *map(str, arguments)])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def expected(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """SHA-256 of what a download into the cache gives, by recipe."""
    from qwq_gguf.checkpoint import open_checkpoint
    from qwq_gguf.conversion import convert
    from qwq_gguf.preparation import prepare
    from qwq_gguf.quantization import load_recipe, make_plan, run_plan

    folder = tmp_path_factory.mktemp("expected")
    opened = replace(open_checkpoint(checkpoint), organization="Qwen", source=REPO)
    made = {}
    for recipe in ("Q4_K_M", "Q8_0"):
        plan = make_plan(prepare(convert(opened)).conversion, load_recipe(recipe))
        run_plan(plan, folder / f"{recipe}.gguf")
        made[recipe] = digest(folder / f"{recipe}.gguf")
    return made


def left(here: Path) -> list[str]:
    return sorted(path.name for path in here.iterdir())


def cached(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "hf").rglob("*.safetensors"))


def sizes_in(place: Path, names: str = "*") -> list[int]:
    found = []
    for path in place.rglob(names):
        with suppress(OSError):
            if path.suffix != ".sha256":  # of shards that have gone
                found.append(path.stat().st_size)
    return found


def whole(here: Path, expected: dict[str, str]) -> None:
    """The right file, its manifest, and nothing else."""
    assert left(here) == [GGUF, MANIFEST]
    assert digest(here / GGUF) == expected["Q4_K_M"]


def shard(number: int) -> str:
    return f"model-{number:05d}-of-{SHARDS:05d}.safetensors"


def test_the_same_file_with_a_small_disk(
    hub: LoopbackHub, checkpoint: Path, here: Path, tmp_path: Path, expected: dict[str, str]
) -> None:
    commit = hub.add_folder(REPO, checkpoint)
    files, most = 0, 0

    def watch(request: object) -> None:
        nonlocal files, most
        found = sizes_in(here / PRIVATE)
        files, most = max(files, len(found)), max(most, sum(found))

    hub.watch = watch
    made = run("--stream")
    assert made.exit_code == 0, made.output
    whole(here, expected)
    assert cached(tmp_path) == []
    sizes = [(checkpoint / shard(number)).stat().st_size for number in range(1, SHARDS + 1)]
    peak = max(map(sum, pairwise(sizes)))
    assert 1 <= files <= 2
    assert 0 < most <= peak
    assert f"streaming {SHARDS} shards of {REPO} at {commit}" in made.stderr
    manifest = json.loads((here / MANIFEST).read_text())
    assert manifest["source"]["commit"] == commit
    assert [
        (entry["name"], entry["sha256"], entry["known_from"])
        for entry in manifest["source"]["shards"]
    ] == [
        (path.name, digest(path), "computed") for path in sorted(checkpoint.glob("*.safetensors"))
    ]

    # What the cache would have made, to the byte and to the manifest.
    (here / "plain").mkdir()
    assert run("plain").exit_code == 0
    for name in (GGUF, MANIFEST):
        assert (here / "plain" / name).read_bytes() == (here / name).read_bytes()
    assert len(cached(tmp_path)) >= SHARDS


def test_several_recipes_and_what_the_cache_has(
    hub: LoopbackHub, checkpoint: Path, here: Path, tmp_path: Path, expected: dict[str, str]
) -> None:
    from qwq_gguf.checkpoint import open_checkpoint
    from qwq_gguf.checkpoint.hub.fetch import fetch

    hub.add_folder(REPO, checkpoint)
    snapshot = open_checkpoint(REPO).hub
    assert snapshot is not None
    fetch(snapshot, [shard(3)])
    (here / "out").mkdir()
    made = run("out", "--stream", "-r", "Q4_K_M", "-r", "Q8_0")
    assert made.exit_code == 0, made.output
    assert {name: digest(here / "out" / f"Tiny-1B-{name}.gguf") for name in expected} == expected
    assert not [path for path in (here / "out").iterdir() if path.name.startswith(".")]
    assert [path.name for path in cached(tmp_path) if path.is_file()] == [shard(3)]
    fetched = [request for request in hub.seen(f"file={shard(3)}") if request.span is None]
    assert len(fetched) == 1
    assert "4 shards" in made.stderr
    assert "the other 1 are in the cache" in made.stderr


MISBEHAVIOUR = {
    "cut": [Fault(f"file={shard(2)}", cut_after=70_000, times=2)],
    "cut at once": [Fault(f"file={shard(2)}", cut_after=0, times=3)],
    "429 seconds": [
        Fault(f"resolve.*{shard(2)}", status=429, headers={"Retry-After": "17"}, times=2)
    ],
    "503 date": [Fault(f"file={shard(3)}", status=503, times=1)],
    "no ranges": [
        Fault(f"file={shard(2)}", cut_after=70_000, times=1),
        Fault(f"file={shard(2)}", ignore_range=True),
    ],
    "wrong range": [
        Fault(f"file={shard(2)}", cut_after=70_000, times=1),
        Fault(f"file={shard(2)}", shift=3),
    ],
    "more than listed": [Fault(f"file={shard(2)}", pad=1 << 20)],
    "wrong once": [Fault(f"file={shard(4)}", body=b"", times=1)],
}


@pytest.mark.parametrize("kind", MISBEHAVIOUR)
def test_what_passes_makes_no_difference(
    hub: LoopbackHub,
    checkpoint: Path,
    here: Path,
    expected: dict[str, str],
    waits: list[float],
    kind: str,
) -> None:
    hub.add_folder(REPO, checkpoint)
    faults = [replace(fault) for fault in MISBEHAVIOUR[kind]]
    if kind == "wrong once":
        bad = bytearray((checkpoint / shard(4)).read_bytes())
        bad[-5] ^= 1
        faults = [replace(fault, body=bytes(bad)) for fault in faults]
    if kind == "503 date":  # so late, or a whole suite of tests lies between
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
        faults = [replace(fault, headers={"Retry-After": date}) for fault in faults]
    hub.faults += only_downloads(hub, faults)
    made = run("--stream")
    assert made.exit_code == 0, made.output
    whole(here, expected)
    if kind == "429 seconds":
        assert waits == [17.0, 17.0]
    if kind == "503 date":
        assert 60 <= waits[0] <= 100


def only_downloads(hub: LoopbackHub, faults: list[Fault]) -> list[Fault]:
    """The faults, from when the plan is made: reading the headers has its own tests."""
    real, reads = hub.take_fault, set()

    def take(line: str) -> Fault | None:
        if "/resolve/" in line and line.endswith(".safetensors"):
            if line not in reads:
                reads.add(line)
                return None
        elif "file=" in line and f"{line} " not in reads:
            reads.add(f"{line} ")
            return None
        return real(line)

    hub.take_fault = take  # type: ignore[method-assign]
    return faults


def test_a_stalled_connection_is_taken_up(
    hub: LoopbackHub,
    checkpoint: Path,
    here: Path,
    expected: dict[str, str],
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_supply, "POLICY", replace(hub_supply.POLICY, silence=0.5))
    hub.add_folder(REPO, checkpoint)
    fault = Fault(f"file={shard(2)}", stall_after=65_536, stall=30.0, times=1)
    hub.faults += only_downloads(hub, [fault])
    made = run("--stream")
    assert made.exit_code == 0, made.output
    whole(here, expected)
    assert waits == [1.0]


def test_a_branch_that_moves_on_has_no_effect(
    hub: LoopbackHub, checkpoint: Path, here: Path, tmp_path: Path, expected: dict[str, str]
) -> None:
    commit = hub.add_folder(REPO, checkpoint)
    other = write_checkpoint(tmp_path / "other", shape=SHAPE, shards=SHARDS, seed=1)
    moved = threading.Event()

    def watch(request: Any) -> None:
        if (
            request.span is None
            and request.path.endswith(f"file={shard(2)}")
            and not moved.is_set()
        ):
            moved.set()
            assert hub.add_folder(REPO, other) != commit

    hub.watch = watch
    made = run("--stream")
    assert made.exit_code == 0, made.output
    assert moved.is_set()
    whole(here, expected)


# ------------------------------------------------------------------ early ends


def vanish(hub: LoopbackHub, commit: str) -> None:
    del hub.repositories[REPO].commits[commit][shard(3)]


def vanish_all(hub: LoopbackHub, commit: str) -> None:
    """The commit itself: rewritten history."""
    code = {"X-Error-Code": "RevisionNotFound"}
    hub.faults.append(Fault(f"resolve/{commit}/{shard(3)}", status=404, headers=code))


def gate(hub: LoopbackHub, commit: str) -> None:
    hub.repositories[REPO].gated = True


def forbid(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault(shard(3), status=403))


def break_down(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault(shard(3), status=503))


def ask_for_hours(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault(shard(3), status=429, headers={"Retry-After": "7200"}))


def garble(hub: LoopbackHub, commit: str) -> None:
    size = Path(str(hub.repositories[REPO].commits[commit][shard(3)])).stat().st_size
    hub.faults.append(Fault(f"file={shard(3)}", body=bytes(size)))


def shorten(hub: LoopbackHub, commit: str) -> None:
    hub.faults.append(Fault(f"file={shard(3)}", body=b"<html>"))


@pytest.mark.parametrize(
    ("happening", "said"),
    [
        (vanish, "there is no such file"),
        (vanish_all, "there is no such revision"),
        (gate, "ask for access"),
        (forbid, "the Hub forbids this"),
        (break_down, "it answered 503"),
        (ask_for_hours, "try again in 7200 seconds"),
        (garble, "not the file that the Hub lists, twice"),
        (shorten, "not of the size that the Hub lists"),
    ],
)
def test_what_does_not_pass_is_said_and_resumed(
    hub: LoopbackHub,
    checkpoint: Path,
    here: Path,
    tmp_path: Path,
    expected: dict[str, str],
    waits: list[float],
    happening: Callable[[LoopbackHub, str], None],
    said: str,
) -> None:
    commit = hub.add_folder(REPO, checkpoint)
    files = dict(hub.repositories[REPO].commits[commit])
    began = threading.Event()

    def watch(request: Any) -> None:
        if (
            request.span is None
            and request.path.endswith(f"file={shard(2)}")
            and not began.is_set()
        ):
            began.set()
            happening(hub, commit)

    hub.watch = watch
    refused = run("--stream")
    assert refused.exit_code == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (here / GGUF).exists()
    assert cached(tmp_path) == []
    visible = [name for name in left(here) if not name.startswith(".")]
    assert visible == []
    assert len(sizes_in(here / PRIVATE)) <= 2
    assert (f"note: {PRIVATE}: " in refused.stderr) == (here / PRIVATE).exists()

    hub.watch = lambda request: None
    hub.faults.clear()
    hub.repositories[REPO].gated = False
    hub.repositories[REPO].commits[commit] = files
    made = run("--stream")
    assert made.exit_code == 0, made.output
    whole(here, expected)


@pytest.fixture
def slow(hub: LoopbackHub, checkpoint: Path) -> LoopbackHub:
    """Sends a part of the third shard, then nothing for a long time."""
    hub.add_folder(REPO, checkpoint)
    hub.faults += only_downloads(
        hub, [Fault(f"file={shard(3)}", stall_after=131_072, stall=60.0, times=1)]
    )
    return hub


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_ended_in_a_download_it_goes_on_there(
    slow: LoopbackHub, here: Path, tmp_path: Path, expected: dict[str, str], number: int
) -> None:
    program = "from qwq_gguf.cli.main import main; main()"
    words = ["quantize", REPO, "--stream", "--no-modelfile"]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", program, *words],
        env={**os.environ, **hub_environment(slow.url, tmp_path / "hf")},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        wait_for(lambda: 131_072 in sizes_in(here / PRIVATE, f"{shard(3)}*"), process)
        asked = len(slow.requests)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), stderr
    assert "Traceback" not in stderr
    if number == signal.SIGINT:
        assert f"Interrupted.\nnote: {PRIVATE}: " in stderr
    kept = [path.name for path in (here / PRIVATE).iterdir()]
    assert any(name.startswith(shard(3)) and name.endswith(".incomplete") for name in kept)

    made = run("--stream")
    assert made.exit_code == 0, made.output
    whole(here, expected)
    spans = [
        request.span
        for request in slow.requests[asked:]
        if request.host == "storage" and request.path.endswith(f"file={shard(3)}")
    ]
    assert spans[-1] == "bytes=131072-"


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_disk_that_fails_when_it_is_synced(
    hub: LoopbackHub,
    checkpoint: Path,
    here: Path,
    expected: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The third shard waits for the room of the first, which is not let go of."""
    hub.add_folder(REPO, checkpoint)
    sync = os.fdatasync

    def failing(descriptor: int) -> None:
        if threading.current_thread().name == "sync":
            raise OSError(errno.EIO, "Input/output error")
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        refused = run("--stream")
    assert refused.exit_code == 1
    assert "Input/output error" in refused.stderr
    assert not hub.seen(f"file={shard(3)}")[1:]
    made = run("--stream")
    assert made.exit_code == 0, made.output
    whole(here, expected)


# -------------------------------------------------------------------- refusals


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[int], None]:
    usage = shutil.disk_usage(tmp_path)
    return lambda count: monkeypatch.setattr(
        shutil, "disk_usage", lambda path: usage._replace(free=count)
    )


def test_too_little_room_is_said_before_the_download(
    hub: LoopbackHub, checkpoint: Path, here: Path, free: Callable[[int], None]
) -> None:
    hub.add_folder(REPO, checkpoint)
    planned = run("--dry-run", "--json")
    result = json.loads(planned.stdout)["file_bytes"]
    free(result + 1000)
    refused = run("--stream")
    assert refused.exit_code == 1
    assert f"{result:,} for the result, " in refused.stderr
    assert "for the shards at one time" in refused.stderr
    assert left(here) == []
    assert all(request.span for request in hub.seen("file="))

    plain = run()
    assert plain.exit_code == 1
    assert f"qwq-gguf quantize {REPO} --stream, which takes" in plain.stderr
    assert all(request.span for request in hub.seen("file="))


def test_what_is_not_on_the_hub_is_not_streamed(
    hub: LoopbackHub, checkpoint: Path, here: Path, tmp_path: Path
) -> None:
    def refused(source: str | Path) -> str:
        done = runner.invoke(app, ["quantize", str(source), "--stream"])
        assert done.exit_code == 2
        assert left(here) == []
        return " ".join(done.stderr.replace("\u2502", " ").split())

    for source in ("demo", checkpoint):
        assert "--stream goes with a model on the Hub" in refused(source)
    file = tmp_path / "tiny-F16.gguf"
    words = ["quantize", str(checkpoint), str(file), "-r", "F16", "--no-modelfile"]
    assert runner.invoke(app, words).exit_code == 0
    assert "--stream takes safetensors from the Hub" in refused(file)


def test_a_dry_run_says_what_it_would_take(hub: LoopbackHub, checkpoint: Path, here: Path) -> None:
    commit = hub.add_folder(REPO, checkpoint)
    sizes = [path.stat().st_size for path in sorted(checkpoint.glob("*.safetensors"))]
    planned = run("--stream", "--dry-run")
    assert planned.exit_code == 0
    assert f"would stream {SHARDS} shards of {REPO} at {commit}" in planned.stderr
    as_json = run("--stream", "--dry-run", "--json")
    assert as_json.stderr == ""
    assert json.loads(as_json.stdout)["stream"] == {
        "commit": commit,
        "shards": SHARDS,
        "bytes": sum(sizes),
        "peak_bytes": max(map(sum, pairwise(sizes))),
    }
    assert "stream" not in json.loads(run("--dry-run", "--json").stdout)
    assert left(here) == []


def test_split_files_come_of_a_stream_too(hub: LoopbackHub, checkpoint: Path, here: Path) -> None:
    hub.add_folder(REPO, checkpoint)
    for folder, flags in (("streamed", ["--stream"]), ("plain", [])):
        (here / folder).mkdir()
        made = run(folder, "--split-max-size", "1M", *flags)
        assert made.exit_code == 0, made.output
    names = left(here / "plain")
    assert len(names) == 3
    assert left(here / "streamed") == names
    assert {name: digest(here / "streamed" / name) for name in names} == {
        name: digest(here / "plain" / name) for name in names
    }


def test_a_run_without_it_removes_what_an_ended_one_left(
    hub: LoopbackHub, checkpoint: Path, here: Path, expected: dict[str, str], waits: list[float]
) -> None:
    hub.add_folder(REPO, checkpoint)
    hub.faults += only_downloads(hub, [Fault(f"file={shard(3)}", cut_after=1000)])
    assert run("--stream").exit_code == 1
    assert (here / PRIVATE).is_dir()
    hub.faults.clear()
    made = run()
    assert made.exit_code == 0, made.output
    whole(here, expected)


def test_a_mirror_without_digests(
    hub: LoopbackHub, checkpoint: Path, here: Path, expected: dict[str, str], waits: list[float]
) -> None:
    """The manifest then has what was computed on the way, also of what an earlier run had."""
    hub.add_folder(
        REPO,
        checkpoint,
        edit_listing=lambda right: (
            right | {"siblings": [{"rfilename": file["rfilename"]} for file in right["siblings"]]}
        ),
    )
    hub.faults += only_downloads(hub, [Fault(f"file={shard(4)}", status=500)])
    refused = run("--stream")
    assert refused.exit_code == 1
    assert "lists no digest of 5 shards" in refused.stderr
    hub.faults.clear()
    made = run("--stream")
    assert made.exit_code == 0, made.output
    whole(here, expected)
    manifest = json.loads((here / MANIFEST).read_text())
    assert [(entry["sha256"], entry["known_from"]) for entry in manifest["source"]["shards"]] == [
        (digest(path), "computed") for path in sorted(checkpoint.glob("*.safetensors"))
    ]
