"""Folders for a moment, also after a process that was killed in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qwq_gguf.temporary import sweep, temporary_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such locks")

_IN_ONE = """
import sys, time
from qwq_gguf.temporary import temporary_folder
with temporary_folder() as folder:
    (folder / "large").write_bytes(bytes(1000))
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def _process_in_one(where: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", _IN_ONE],
        env={**os.environ, "TMPDIR": str(where)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_empty_and_goes(where: Path) -> None:
    with temporary_folder() as folder:
        assert folder.is_relative_to(where)
        assert list(folder.iterdir()) == []
        assert sweep(where) == 0
    assert list(where.iterdir()) == []


def test_what_a_killed_process_has_left_goes_and_what_a_living_one_has_stays(where: Path) -> None:
    process, folder = _process_in_one(where)
    try:
        assert (folder / "large").exists()
        with temporary_folder():
            assert (folder / "large").exists()
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert (folder / "large").exists()
        with temporary_folder():
            assert not folder.parent.exists()
    finally:
        process.kill()
        process.wait(10)
        assert process.stdout is not None
        process.stdout.close()


def _left(where: Path, name: str, owner: str | None) -> Path:
    folder = where / name
    folder.mkdir()
    if owner is not None:
        (folder / ".owner").write_text(owner)
    return folder


def _dead_number() -> str:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(10)
    return str(process.pid)


def test_nothing_else_goes(where: Path) -> None:
    dead = _dead_number()
    kept = [
        _left(where, "qwq-gguf-tmp-mine", None),
        _left(where, "qwq-gguf-tmp-words", "nobody"),
        _left(where, "qwq-gguf-tmp-long", "9" * 30),
        _left(where, "qwq-gguf-tmp-alive", str(os.getpid())),
        _left(where, "qwq-gguf-models", dead),
        _left(where, "elsewhere", dead),
    ]
    link = where / "qwq-gguf-tmp-link"
    link.symlink_to(where / "elsewhere")
    fifo = _left(where, "qwq-gguf-tmp-fifo", None)
    os.mkfifo(fifo / ".owner")
    through = _left(where, "qwq-gguf-tmp-through", None)
    (through / ".owner").symlink_to(where / "elsewhere" / ".owner")
    assert sweep(where) == 0
    assert all(each.exists() for each in (*kept, link, fifo, through))
    gone = _left(where, "qwq-gguf-tmp-gone", dead)
    (gone / "out").symlink_to(kept[0])
    assert sweep(where) == 1
    assert not gone.exists()
    assert kept[0].exists()


def test_a_few_go_at_a_time(where: Path) -> None:
    dead = _dead_number()
    for number in range(40):
        _left(where, f"qwq-gguf-tmp-{number}", dead)
    assert sweep(where) == 32
    assert sweep(where) == 8
    assert sweep(where / "none") == 0
