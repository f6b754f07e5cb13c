"""A run that was ended goes on where it was, and never with something else."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qwq_gguf.checkpoint.reader import ShardReader
from qwq_gguf.checkpoint.values import TensorInfo
from qwq_gguf.conversion.values import Conversion
from qwq_gguf.errors import OutputError, ShardError, TensorError
from qwq_gguf.gguf_file.layout import padded
from qwq_gguf.metadata import text
from qwq_gguf.quantization import load_recipe, make_plan, run_plan
from qwq_gguf.quantization.planning.plan import Plan
from qwq_gguf.quantization.planning.split import SplitRule, split_plan
from qwq_gguf.quantization.running import run as run_module
from qwq_gguf.quantization.running.run import Progress, Target, run_plans
from qwq_gguf.quantization.writing import outputs
from qwq_gguf.quantization.writing import unfinished as workplace
from qwq_gguf.quantization.writing.journal import parse_journal
from qwq_gguf.quantization.writing.outputs import Outputs
from support.shapes import Shape, conversion, write_weights

SMALL = Shape("llama", 256, 2, 4, 2, 512, 96)


@pytest.fixture
def made(tmp_path: Path) -> Conversion:
    result = conversion(SMALL, tmp_path / "weights.bin")
    write_weights(result)
    return result


@pytest.fixture
def plan(made: Conversion) -> Plan:
    return make_plan(made, load_recipe("Q8_0"))


@pytest.fixture
def whole(tmp_path: Path, plan: Plan) -> bytes:
    """The file as an undisturbed run makes it."""
    run_plan(plan, tmp_path / "undisturbed.gguf", kernels="ggml")
    content = (tmp_path / "undisturbed.gguf").read_bytes()
    (tmp_path / "undisturbed.gguf").unlink()
    return content


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


UNFINISHED = [".out.gguf.journal", ".out.gguf.partial"]


class Stopper:
    """Presses Ctrl-C after so many chunks."""

    def __init__(self, chunks: int, error: BaseException | None = None) -> None:
        self.left = chunks
        self.error = KeyboardInterrupt() if error is None else error

    def __call__(self, _: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            raise self.error


def interrupt(targets: Sequence[Target], chunks: int = 12, **options: Any) -> None:
    options = {"threads": 2, "chunk_weights": 20_000, "kernels": "ggml", **options}
    with pytest.raises(KeyboardInterrupt):
        run_plans(targets, progress=Stopper(chunks), **options)


class Counting(ShardReader):
    """Counts the bytes that are read."""

    total = 0

    def read(self, info: TensorInfo, first: int = 0, nbytes: int | None = None) -> bytes:
        data = super().read(info, first, nbytes)
        type(self).total += len(data)
        return data


@pytest.mark.parametrize("threads, chunk", [(1, 1 << 20), (3, 30_000)])
def test_it_goes_on_with_any_threads_and_chunks(
    tmp_path: Path,
    plan: Plan,
    whole: bytes,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
    chunk: int,
) -> None:
    interrupt([Target(plan, tmp_path / "out.gguf")])
    assert names(tmp_path) == [*UNFINISHED, "weights.bin"]
    Counting.total = 0
    monkeypatch.setattr(run_module, "ShardReader", Counting)
    steps: list[Progress] = []
    run_plan(
        plan,
        tmp_path / "out.gguf",
        threads=threads,
        chunk_weights=chunk,
        kernels="ggml",
        progress=steps.append,
    )
    assert (tmp_path / "out.gguf").read_bytes() == whole
    assert names(tmp_path) == ["out.gguf", "weights.bin"]
    assert 0 < Counting.total < (tmp_path / "weights.bin").stat().st_size
    assert steps[0].done_weights > 0
    assert steps[-1].done_weights == plan.weights


def test_a_second_interruption_keeps_what_the_first_did(
    tmp_path: Path, plan: Plan, whole: bytes
) -> None:
    target = Target(plan, tmp_path / "out.gguf")
    shares = []
    for _ in range(3):
        interrupt([target], chunks=8)
        with Outputs([target]) as outputs:
            shares.append(sum(len(rows) for rows in outputs.done[0].values()))
    assert shares == sorted(set(shares))
    run_plan(plan, tmp_path / "out.gguf", kernels="ggml")
    assert (tmp_path / "out.gguf").read_bytes() == whole


# ------------------------------------------------------------ what has changed is named


def changed(tmp_path: Path, plan: Plan, **options: Any) -> OutputError:
    """What the second run says; the unfinished files stay as they are."""
    before = {name: (tmp_path / name).read_bytes() for name in UNFINISHED}
    with pytest.raises(OutputError, match="unfinished run of this file") as caught:
        run_plans([Target(plan, tmp_path / "out.gguf", **options)])
    assert "--no-resume" in str(caught.value.hint)
    partial, journal = UNFINISHED[1], UNFINISHED[0]
    assert (tmp_path / partial).read_bytes() == before[partial]
    assert (tmp_path / journal).read_bytes().startswith(before[journal])
    return caught.value


def test_another_recipe_is_named(tmp_path: Path, made: Conversion, plan: Plan) -> None:
    interrupt([Target(plan, tmp_path / "out.gguf")])
    error = changed(tmp_path, make_plan(made, load_recipe("Q6_K")))
    assert error.found == "recipe: name = Q6_K"
    assert error.expected == "recipe: name = Q8_0"


def test_another_option_is_named(tmp_path: Path, plan: Plan) -> None:
    before = {"options": {"pure": True, "name": None, "kv": ["a=b"]}}
    after = {"options": {"pure": False, "name": None, "kv": ["a=b"]}}
    interrupt([Target(plan, tmp_path / "out.gguf", about=before)])
    error = changed(tmp_path, plan, about=after)
    assert (error.found, error.expected) == ("options: pure = false", "options: pure = true")
    with Outputs([Target(plan, tmp_path / "out.gguf", about=before)]) as found:
        assert found.done[0]


def test_another_version_is_named(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt([Target(plan, tmp_path / "out.gguf")])
    monkeypatch.setattr(outputs, "tool_versions", lambda: {"ggml": "9.9"})
    error = changed(tmp_path, plan)
    assert str(error.found).startswith("versions: ggml = 9.9; versions: qwq-gguf = None")


def test_another_source_is_named(tmp_path: Path, plan: Plan) -> None:
    interrupt([Target(plan, tmp_path / "out.gguf")])
    with (tmp_path / "weights.bin").open("ab") as file:
        file.write(b"more")
    error = changed(tmp_path, plan)
    assert str(error.found).startswith("source: weights.bin = 2460164 bytes, changed 20")
    assert str(error.expected).startswith("source: weights.bin = 2460160 bytes, changed 20")


def test_other_metadata_is_named(tmp_path: Path, made: Conversion, plan: Plan) -> None:
    interrupt([Target(plan, tmp_path / "out.gguf")])
    renamed = tuple(
        text(entry.key, "shopp") if entry.key == "general.name" else entry
        for entry in made.metadata
    )
    other = make_plan(replace(made, metadata=renamed), load_recipe("Q8_0"))
    error = changed(tmp_path, other)
    assert error.found == 'metadata: general.name = "shopp"'


def test_another_split_is_named(tmp_path: Path, plan: Plan) -> None:
    interrupt([Target(plan, tmp_path / "out.gguf")])
    error = changed(tmp_path, split_plan(plan, SplitRule(max_tensors=8)))
    assert str(error.found).startswith("files: number = 3")


def test_starting_over_is_asked_for(tmp_path: Path, plan: Plan, made: Conversion) -> None:
    interrupt([Target(split_plan(plan, SplitRule(max_tensors=8)), tmp_path / "out.gguf")])
    assert len(names(tmp_path)) == 5
    other = make_plan(made, load_recipe("BF16"))
    with Outputs([Target(other, tmp_path / "out.gguf")], resume=False) as found:
        assert not found.done[0]
        assert names(tmp_path) == [*UNFINISHED, "weights.bin"]
    run_plan(other, tmp_path / "out.gguf", kernels="ggml", resume=False)
    assert names(tmp_path) == ["out.gguf", "weights.bin"]


def test_a_run_that_may_not_start_over_destroys_nothing(tmp_path: Path, plan: Plan) -> None:
    target = Target(plan, tmp_path / "out.gguf")
    interrupt([target])
    target.path.write_bytes(b"theirs")
    with pytest.raises(OutputError, match="exists already"):
        run_plans([target], resume=False)
    target.path.unlink()
    with Outputs([target]) as found:
        assert found.done[0]


def test_a_journal_of_a_later_version_is_left_alone(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "qwq_gguf.quantization.writing.journal.JOURNAL_SCHEMA", "qwq-gguf/journal/2"
    )
    interrupt([Target(plan, tmp_path / "out.gguf")])
    with pytest.raises(OutputError, match="this version cannot read") as caught:
        run_plan(plan, tmp_path / "out.gguf")
    assert (caught.value.found, caught.value.expected) == (
        "qwq-gguf/journal/2",
        "qwq-gguf/journal/1",
    )


# ------------------------------------------------------------------ what is damaged


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 16]))


def test_a_flipped_bit_is_found_and_made_again(tmp_path: Path, plan: Plan, whole: bytes) -> None:
    target = Target(plan, tmp_path / "out.gguf")
    interrupt([target])
    with Outputs([target]) as found:
        name, rows = next(iter(found.done[0].items()))
    tensor = next(each for each in plan.tensors if each.name == name)
    flip(tmp_path / UNFINISHED[1], plan.data_offset + tensor.offset + rows[0][0] * 272 + 7)
    with Outputs([target]) as found:
        assert found.done[0].get(name) != rows
        assert f"out.gguf: {name} came back from the disk damaged" in found.notes[0]
        assert "going on at" in found.notes[1]
    run_plan(plan, tmp_path / "out.gguf", kernels="ggml")
    assert (tmp_path / "out.gguf").read_bytes() == whole


def test_header_and_padding_are_written_again(tmp_path: Path) -> None:
    odd = conversion(replace(SMALL, vocab=97), tmp_path / "weights.bin")
    write_weights(odd)
    plan = make_plan(odd, load_recipe("Q8_0"))
    run_plan(plan, tmp_path / "undisturbed.gguf", kernels="ggml")
    interrupt([Target(plan, tmp_path / "out.gguf")])
    gap = next(t for t in plan.tensors if t.nbytes != padded(t.nbytes, plan.alignment))
    flip(tmp_path / UNFINISHED[1], plan.data_offset + gap.offset + gap.nbytes)
    flip(tmp_path / UNFINISHED[1], 60)
    run_plan(plan, tmp_path / "out.gguf", kernels="ggml")
    assert (tmp_path / "out.gguf").read_bytes() == (tmp_path / "undisturbed.gguf").read_bytes()


@pytest.mark.parametrize("cut", [1, 9, 30])
def test_a_line_that_was_cut_off_is_no_line(
    tmp_path: Path, plan: Plan, whole: bytes, cut: int
) -> None:
    interrupt([Target(plan, tmp_path / "out.gguf")])
    journal = tmp_path / UNFINISHED[0]
    before = len(parse_journal(journal.read_bytes()).rows)
    os.truncate(journal, journal.stat().st_size - cut)
    assert len(parse_journal(journal.read_bytes()).rows) == before - 1
    run_plan(plan, tmp_path / "out.gguf", kernels="ggml")
    assert (tmp_path / "out.gguf").read_bytes() == whole


def test_a_journal_without_its_first_line_is_of_no_use(
    tmp_path: Path, plan: Plan, whole: bytes
) -> None:
    interrupt([Target(plan, tmp_path / "out.gguf")])
    flip(tmp_path / UNFINISHED[0], 20)
    with Outputs([Target(plan, tmp_path / "out.gguf")]) as found:
        assert not found.done[0]
        assert "starting over" in found.notes[0]
    run_plan(plan, tmp_path / "out.gguf", kernels="ggml")
    assert (tmp_path / "out.gguf").read_bytes() == whole


@pytest.mark.parametrize("size", [None, 0, 70_000])
def test_a_partial_file_that_is_gone_or_short(
    tmp_path: Path, plan: Plan, whole: bytes, size: int | None
) -> None:
    interrupt([Target(plan, tmp_path / "out.gguf")])
    partial = tmp_path / UNFINISHED[1]
    if size is None:
        partial.unlink()
    else:
        os.truncate(partial, size)
    run_plan(plan, tmp_path / "out.gguf", kernels="ggml")
    assert (tmp_path / "out.gguf").read_bytes() == whole


# ----------------------------------------------------------------------- the names


def test_the_older_file_stays_until_the_end(tmp_path: Path, plan: Plan, whole: bytes) -> None:
    out = tmp_path / "out.gguf"
    out.write_bytes(b"old")
    interrupt([Target(plan, out)], force=True)
    assert out.read_bytes() == b"old"
    with pytest.raises(OutputError, match="exists already"):
        run_plan(plan, out)
    assert names(tmp_path) == [*UNFINISHED, "out.gguf", "weights.bin"]
    run_plan(plan, out, force=True, kernels="ggml")
    assert out.read_bytes() == whole


@contextmanager
def broken(monkeypatch: pytest.MonkeyPatch, name: str, after: int = 0) -> Iterator[None]:
    """The process ends in a system call: what follows of Python does not happen."""

    class Ended(BaseException):
        pass

    real = getattr(os, name)
    calls = 0

    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Ended
        return real(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, name, call)
        patched.setattr(workplace.Workplace, "discard", lambda self: self.leave())
        with pytest.raises(Ended):
            yield


@pytest.mark.parametrize("links, call", [(True, "unlink"), (True, "link"), (False, "replace")])
@pytest.mark.parametrize("named", [0, 1, 2])
def test_files_that_have_their_names_already_are_ours(
    tmp_path: Path,
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    links: bool,
    call: str,
    named: int,
) -> None:
    plan = split_plan(plan, SplitRule(max_tensors=8))
    target = Target(plan, tmp_path / "out.gguf")
    others = Target(plan, tmp_path / "undisturbed.gguf")
    run_plans([others], kernels="ggml")

    def no_links(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with broken(monkeypatch, call, after=named + (6 if call == "unlink" else 0)):
        run_plans([target], kernels="ggml")
    assert sum(path.exists() for path in target.paths) == named + (call == "unlink")
    run_plans([target], kernels="ggml")
    for ours, theirs in zip(target.paths, others.paths, strict=True):
        assert ours.read_bytes() == theirs.read_bytes()
    assert not [name for name in names(tmp_path) if name.startswith(".")]


def finished_but_not_recorded(tmp_path: Path, plan: Plan) -> None:
    """As a kill between the rename and the manifest leaves it."""
    target = Target(plan, tmp_path / "out.gguf")
    with Outputs([target]) as found:
        run_plans([target], outputs=found, kernels="ggml")
    assert names(tmp_path) == [".out.gguf.journal", "out.gguf", "weights.bin"]


def test_a_whole_file_of_its_own_is_not_in_the_way(
    tmp_path: Path, plan: Plan, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished_but_not_recorded(tmp_path, plan)
    Counting.total = 0
    monkeypatch.setattr(run_module, "ShardReader", Counting)
    run_plan(plan, tmp_path / "out.gguf")
    assert Counting.total == 0
    assert (tmp_path / "out.gguf").read_bytes() == whole
    assert names(tmp_path) == ["out.gguf", "weights.bin"]


@pytest.mark.parametrize("change", ["size", "bytes", "header"])
def test_anothers_file_in_its_place_is(tmp_path: Path, plan: Plan, change: str) -> None:
    finished_but_not_recorded(tmp_path, plan)
    out = tmp_path / "out.gguf"
    if change == "size":
        out.write_bytes(b"theirs")
    else:
        flip(out, 60 if change == "header" else plan.data_offset + 3)
    theirs = out.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        run_plan(plan, out)
    assert out.read_bytes() == theirs
    run_plan(plan, out, force=True, kernels="ggml")
    assert out.read_bytes() != theirs
    assert names(tmp_path) == ["out.gguf", "weights.bin"]


# ------------------------------------------------------------------- several at once


def test_a_target_that_is_further_than_the_other(tmp_path: Path, made: Conversion) -> None:
    """Each row is read once for those that miss it, and written to them alone."""
    plans = [make_plan(made, load_recipe(name)) for name in ("Q8_0", "BF16")]
    targets = [Target(each, tmp_path / f"{each.recipe}.gguf") for each in plans]
    expected = []
    for target in targets:
        run_plans([target], kernels="ggml")
        expected.append(target.path.read_bytes())
        target.path.unlink()
    interrupt(targets[:1], chunks=16)
    interrupt(targets, chunks=6)
    with Outputs(targets) as found:
        assert all(found.done)
        assert found.done[0] != found.done[1]
    run_plans(targets, kernels="ggml", threads=3, chunk_weights=8_000)
    assert [target.path.read_bytes() for target in targets] == expected
    assert names(tmp_path) == ["BF16.gguf", "Q8_0.gguf", "weights.bin"]


def test_a_second_run_is_refused_with_the_pid_of_the_first(tmp_path: Path, plan: Plan) -> None:
    target = Target(plan, tmp_path / "out.gguf")
    with Outputs([target]):
        before = names(tmp_path)
        for resume in (True, False):
            with pytest.raises(OutputError, match="another run") as caught:
                run_plans([target], resume=resume)
            assert caught.value.found == f"process {os.getpid()}"
            assert f"kill {os.getpid()}" in str(caught.value.hint)
        assert names(tmp_path) == before


def test_the_lock_of_a_killed_process_is_gone(tmp_path: Path, plan: Plan, whole: bytes) -> None:
    script = (
        "import fcntl, os, sys, time\n"
        "fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\n"
        "print(flush=True)\n"
        "time.sleep(60)\n"
    )
    journal = tmp_path / UNFINISHED[0]
    with subprocess.Popen(
        [sys.executable, "-c", script, str(journal)], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(OutputError, match="another run") as caught:
            run_plan(plan, tmp_path / "out.gguf")
        assert caught.value.found == "a process that does not say its number"
        holder.send_signal(signal.SIGKILL)
    run_plan(plan, tmp_path / "out.gguf", kernels="ggml")
    assert (tmp_path / "out.gguf").read_bytes() == whole


# ------------------------------------------------------------------ what ends it early


def test_nothing_is_kept_that_would_not_help(tmp_path: Path, plan: Plan) -> None:
    """Weights that are wrong stay wrong; and nothing done is nothing to keep."""
    target = Target(plan, tmp_path / "out.gguf")
    with pytest.raises(TensorError):
        run_plans([target], progress=Stopper(9, TensorError("no number")), kernels="ggml")
    assert names(tmp_path) == ["weights.bin"]
    with pytest.raises(KeyboardInterrupt), Outputs([target]):
        raise KeyboardInterrupt
    assert names(tmp_path) == ["weights.bin"]


def test_a_source_that_shrinks_in_mid_run(tmp_path: Path, plan: Plan) -> None:
    """No run could go on from what was made of it."""
    shard = tmp_path / "weights.bin"

    def shrink(_: Progress) -> None:
        os.truncate(shard, 1000)

    with pytest.raises(ShardError, match=r"shorter|changed"):
        run_plan(plan, tmp_path / "out.gguf", threads=1, chunk_weights=150, progress=shrink)
    assert names(tmp_path) == ["weights.bin"]


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_source_that_is_gone_may_come_back(
    tmp_path: Path, plan: Plan, whole: bytes, interrupted: bool
) -> None:
    """A disk that is unplugged, say."""
    shard, elsewhere = tmp_path / "weights.bin", tmp_path / "elsewhere.bin"
    left = 12

    def unplug(_: Progress) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            shard.rename(elsewhere)
            if interrupted:
                raise ShardError("cannot be read: Input/output error", path=shard)

    target = Target(plan, tmp_path / "out.gguf")
    if interrupted:
        with pytest.raises(ShardError):
            run_plans([target], kernels="ggml", progress=unplug)
        assert names(tmp_path) == [*UNFINISHED, "elsewhere.bin"]
        elsewhere.rename(shard)
        with Outputs([target]) as found:
            assert found.done[0]
        run_plans([target], kernels="ggml")
    else:  # the file is open, and all of it is read
        run_plans([target], kernels="ggml", progress=unplug)
    assert target.path.read_bytes() == whole


def test_a_source_that_changes_in_mid_run_is_noticed_before_the_end(
    tmp_path: Path, plan: Plan
) -> None:
    def touch(_: Progress) -> None:
        os.utime(tmp_path / "weights.bin", ns=(1, 1))

    with pytest.raises(ShardError, match="changed while it was read"):
        run_plan(plan, tmp_path / "out.gguf", kernels="ggml", progress=touch)
    assert names(tmp_path) == ["weights.bin"]


def test_the_source_is_not_looked_at_when_all_is_done(tmp_path: Path, plan: Plan) -> None:
    """A kill meanwhile would end a run of which nothing tells any more."""
    looks: list[Path] = []

    def identity(shard: Path) -> str:
        looks.append(shard)
        return "the same"

    target = Target(plan, tmp_path / "out.gguf")
    with Outputs([target], identity=identity) as outputs:
        run_plans([target], outputs=outputs, kernels="ggml")
        outputs.finish()
        assert looks
        looks.clear()
    assert not looks


def full_after(count: int, real: Callable[..., int]) -> Callable[..., int]:
    left = count

    def call(*arguments: Any) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    return call


@pytest.mark.parametrize(
    "call, count",
    [("pwrite", 0), ("pwrite", 1), ("pwrite", 9), ("write", 1), ("fdatasync", 0), ("fsync", 0)],
)
def test_a_disk_that_is_full_and_then_is_not(
    tmp_path: Path,
    plan: Plan,
    whole: bytes,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    count: int,
) -> None:
    out = tmp_path / "out.gguf"
    out.write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, call, full_after(count, getattr(os, call)))
        with pytest.raises(OutputError) as caught:
            run_plan(plan, out, force=True, kernels="ggml", chunk_weights=3_000)
    assert "disk is full" in caught.value.message or "No space" in caught.value.message
    assert out.read_bytes() == b"old"
    run_plan(plan, out, force=True, kernels="ggml")
    assert out.read_bytes() == whole
    assert names(tmp_path) == ["out.gguf", "weights.bin"]


def test_room_is_reserved_before_the_first_row(tmp_path: Path, plan: Plan) -> None:
    with Outputs([Target(plan, tmp_path / "out.gguf")]) as found:
        status = (tmp_path / UNFINISHED[1]).stat()
        assert status.st_size == plan.file_bytes
        if status.st_blocks * 512 < plan.file_bytes:
            pytest.skip("a filesystem that reserves nothing")
        assert found.present_bytes == plan.file_bytes


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_limit_that_is_reached_in_mid_run(
    tmp_path: Path, plan: Plan, whole: bytes, share: float
) -> None:
    """The system itself refuses to write beyond a file-size limit, as it would to a full disk."""
    out = tmp_path / "out.gguf"
    out.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(_: Progress) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(plan.file_bytes * share), hard))

    try:
        with pytest.raises(OutputError, match="larger than a file may be here; nothing was"):
            run_plan(plan, out, force=True, kernels="ggml", threads=1, progress=limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert out.read_bytes() == b"old"
    assert names(tmp_path) == [*UNFINISHED, "out.gguf", "weights.bin"]
    run_plan(plan, out, force=True, kernels="ggml")
    assert out.read_bytes() == whole


def test_a_disk_that_is_still_full_costs_nothing(
    tmp_path: Path, plan: Plan, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(plan, tmp_path / "out.gguf")
    interrupt([target])
    with Outputs([target]) as found:
        done = found.done
    for call in ("write", "pwrite", "ftruncate"):
        with monkeypatch.context() as patched:
            patched.setattr(os, call, full_after(0, getattr(os, call)))
            with pytest.raises(OutputError, match="disk is full"):
                run_plans([target])
    with Outputs([target]) as found:
        assert found.done == done
    run_plans([target], kernels="ggml")
    assert (tmp_path / "out.gguf").read_bytes() == whole


def test_room_that_is_reserved_is_not_asked_for_again(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(plan, tmp_path / "out.gguf")
    interrupt([target])
    if (tmp_path / UNFINISHED[1]).stat().st_blocks * 512 < plan.file_bytes:
        pytest.skip("a filesystem that reserves nothing")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with Outputs([target]) as found:
        assert found.done[0]
    with (
        pytest.raises(OutputError, match="too small"),
        Outputs([replace(target, path=tmp_path / "x")]),
    ):
        pass
    assert names(tmp_path) == [*UNFINISHED, "weights.bin"]
