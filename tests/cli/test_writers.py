"""Whatever a command writes, it writes whole or not at all, and through no link."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from qwq_gguf.cli.app import app
from qwq_gguf.cli.chatting.prompt import history_file
from qwq_gguf.exporters.runtimes import EXPORTERS
from qwq_gguf.resources import CACHE_VARIABLE
from support.terminal import PROGRAM
from support.tiny_gguf import write_random

runner = CliRunner()


def run(*arguments: object) -> Result:
    return runner.invoke(app, [*map(str, arguments)])


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_random(tmp_path / "tiny.gguf", context=2048)


def modelfile(out: Path, *flags: str) -> Result:
    return run("modelfile", "tiny.gguf", "-o", out, *flags)


def evaluate(out: Path, *flags: str) -> Result:
    words = ("--suite", "add", "--limit", 1, "-n", 2, "-t", 1, "-c", 256)
    return run("eval", "thinking", "tiny.gguf", *words, "--out", out, *flags)


def plot(out: Path, *flags: str) -> Result:
    words = ("--compare", "qwq", "llama-cpp", "-m", "tiny.gguf", "-p", "Hi", "--at", 0)
    return run("profiles", *words, "--plot", out, *flags)


def export(out: Path, *flags: str) -> Result:
    """As if `out` were one of its files."""
    place = out.parent / "out"
    place.mkdir(exist_ok=True)
    if os.path.lexists(out):
        out.rename(place / "vllm.sh")
    done = run("export", "vllm", "tiny.gguf", "-o", place, *flags)
    if os.path.lexists(place / "vllm.sh"):
        (place / "vllm.sh").rename(out)
    return done


WRITERS: list[tuple[Callable[..., Result], str]] = [
    (modelfile, "Modelfile"),
    (evaluate, "replies.jsonl"),
    (plot, "chain.svg"),
    (export, "any.sh"),
]
each_writer = pytest.mark.parametrize(
    ("write", "name"), WRITERS, ids=[write.__name__ for write, _ in WRITERS]
)


@each_writer
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_failing_force_keeps_the_old_file(
    write: Callable[..., Result],
    name: str,
    step: str,
    gguf: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / name
    out.write_text("precious")
    owner = Path if step == "replace" else os
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, full)
        done = write(out, "--force")
    assert done.exit_code == 1, done.output
    assert "the disk is full; nothing was replaced" in done.stderr
    assert out.read_text() == "precious"
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith((".partial", ".before"))]
    others = {"vllm.sh", "request.json", "chat_template.jinja"}
    assert not others & {path.name for path in tmp_path.rglob("*")}, "half of an export"


@each_writer
@pytest.mark.parametrize("target", ["real", "gone"])
def test_no_link_is_written_through(
    write: Callable[..., Result], name: str, target: str, gguf: Path, tmp_path: Path
) -> None:
    real = tmp_path / "real"
    real.write_text("precious")
    out = tmp_path / name
    out.symlink_to(tmp_path / target)
    refused = write(out)
    assert refused.exit_code == 1, refused.output
    assert "exists already" in refused.stderr
    assert out.readlink() == tmp_path / target
    done = write(out, "--force")
    assert done.exit_code == 0, done.output
    assert not out.is_symlink()
    assert out.stat().st_size
    assert real.read_text() == "precious"
    assert not (tmp_path / "gone").exists()


@each_writer
def test_a_fifo_is_refused_at_once(
    write: Callable[..., Result], name: str, gguf: Path, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / name)
    done = write(tmp_path / name, "--force")
    assert done.exit_code == 1
    assert "no ordinary file" in done.stderr


@each_writer
def test_permissions_stay(
    write: Callable[..., Result], name: str, gguf: Path, tmp_path: Path
) -> None:
    out = tmp_path / name
    out.write_text("old")
    out.chmod(0o600)
    assert write(out, "--force").exit_code == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert out.read_text() != "old"


def test_the_model_itself_is_no_output(gguf: Path, tmp_path: Path) -> None:
    before = gguf.read_bytes()
    (tmp_path / "soft").symlink_to(gguf)
    for out in (gguf, tmp_path / "soft"):
        for write in (modelfile, evaluate):
            done = write(out, "--force")
            assert done.exit_code == 1
            assert "made from" in done.stderr
    assert gguf.read_bytes() == before


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_a_name_that_is_not_utf8(runtime: str, tmp_path: Path) -> None:
    """What names the file cannot be written; the others don't need it. Never half of it."""
    name = os.fsdecode(b"caf\xe9.gguf")
    write_random(tmp_path / name, context=2048)
    done = run("export", runtime, tmp_path / name, "-o", tmp_path / "out")
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert "fault in qwq-gguf" not in done.stderr
    if done.exit_code:
        assert (done.exit_code, written) == (1, [])
        assert not (tmp_path / "out").exists()
    else:
        assert written
        for path in written:
            path.read_bytes().decode()


@pytest.mark.parametrize("runtime", EXPORTERS)
def test_texts_that_are_not_utf8(runtime: str, tmp_path: Path) -> None:
    mark = "QQQQ"
    keys = {f"general.{key}": mark for key in ("license", "size_label", "name")}
    keys["tokenizer.chat_template"] = "{{ messages[0].content }}" + mark
    gguf = write_random(tmp_path / "x.gguf", context=2048, keys=keys)
    gguf.write_bytes(gguf.read_bytes().replace(mark.encode(), b"\xff\xfe\xed\xa0"))
    done = run("export", runtime, gguf, "-o", tmp_path / "out")
    assert "fault in qwq-gguf" not in done.stderr
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert bool(done.exit_code) is not bool(written)
    for path in written:
        path.read_bytes().decode()


def test_what_is_open_is_written_to(gguf: Path, tmp_path: Path) -> None:
    """/dev/stdout, and what a shell's `>(...)` gives."""
    whole = run("modelfile", "tiny.gguf", "-o", "-").stdout
    for out in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        for flags in ([], ["--force"]):
            done = subprocess.run(
                [*PROGRAM, "modelfile", str(gguf), "-o", out, *flags],
                capture_output=True,
                text=True,
                check=True,
                cwd=tmp_path,
            )
            assert done.stdout == whole


@pytest.mark.parametrize("kind", ["link", "fifo", "device"])
def test_typed_lines_are_kept_in_an_ordinary_file_or_not_at_all(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    history = tmp_path / "chat-history"
    assert history_file() == str(history)
    assert history.stat().st_mode & 0o777 == 0o600
    history.unlink()
    if kind == "fifo":
        os.mkfifo(history)
    else:
        history.symlink_to(tmp_path / "elsewhere" if kind == "link" else os.devnull)
    assert history_file() is None
    assert not (tmp_path / "elsewhere").exists()
