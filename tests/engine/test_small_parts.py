from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.engine.llama.logs import LogBuffer
from qwq_gguf.engine.loading.fact_cache import CACHE_VARIABLE, Memory, cache_folder
from qwq_gguf.engine.replies.detokenizer import Detokenizer
from qwq_gguf.errors import QwqGgufError
from qwq_gguf.native import libc
from qwq_gguf.resources import own_cache

posix = pytest.mark.skipif(sys.platform == "win32", reason="owners and pipes")
INFO, WARN, ERROR, CONT = 2, 3, 4, 5


@given(st.binary(max_size=60), st.data())
def test_text_does_not_depend_on_how_bytes_are_cut(raw: bytes, data: st.DataObject) -> None:
    detokenizer = Detokenizer()
    out, rest = "", raw
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        out += detokenizer.feed(rest[:size])
        rest = rest[size:]
    assert out + detokenizer.finish() == raw.decode("utf-8", "replace")


def test_a_character_appears_with_its_last_byte() -> None:
    detokenizer = Detokenizer()
    assert [detokenizer.feed(bytes([byte])) for byte in "a👍".encode()] == ["a", "", "", "", "👍"]
    assert detokenizer.finish() == ""


def _say(log: LogBuffer, level: int, text: bytes) -> None:
    """As the library does."""
    log.callback(level, text, log.data)


def test_the_log_puts_lines_together_and_tells_levels_apart() -> None:
    log = LogBuffer()
    _say(log, INFO, b"loading\n")
    _say(log, WARN, b"careful: ")
    _say(log, CONT, b"thin ice\n")
    _say(log, INFO, b"dots ")
    _say(log, CONT, b"...")
    _say(log, ERROR, b"load: error loading model: bad magic\n")
    _say(log, ERROR, b"outer: failed to load model\n")
    assert log.complaints() == (
        "careful: thin ice",
        "load: error loading model: bad magic",
        "outer: failed to load model",
    )
    assert log.errors()[0].endswith("bad magic")
    assert log.lines()[0] == "loading"
    assert log.reason() == "error loading model: bad magic"
    log.clear()
    assert log.complaints() == ()
    assert log.reason() is None


def test_the_log_is_bounded() -> None:
    log = LogBuffer()
    for number in range(10_000):
        _say(log, ERROR, b"line %d\n" % number)
        _say(log, CONT, b"." * 100)
    assert len(log.errors()) <= 200
    assert "line 9999" in log.errors()


def test_what_is_said_and_never_asked_for_is_bounded() -> None:
    log = LogBuffer()
    for _ in range(10_000):
        _say(log, INFO, b"a graph is used again" + b" " * 200 + b"\n")
        log.trim()
    assert len(log._said.getvalue()) < 1 << 19
    _say(log, ERROR, b'it\x80s "broken"\n')
    assert log.reason() == 'it\ufffds "broken"'


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX signals")
def test_a_signal_that_comes_while_c_writes_a_log_is_not_lost() -> None:
    """C that calls back a hundred thousand times in the main thread: a sort."""

    class Stop(Exception):
        pass

    def handler(_number: int, _frame: object) -> None:
        raise Stop

    log = LogBuffer()
    # It compares what is no level and no text; only who is called matters.
    compared = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p)
    written = compared(log.write)
    numbers = (ctypes.c_int * 50_000)()
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        with pytest.raises(Stop):
            libc().qsort(numbers, ctypes.c_size_t(len(numbers)), ctypes.c_size_t(4), written)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_memory_outlives_its_object_and_forgets_the_oldest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwq_gguf.engine.loading.fact_cache._MOST_ENTRIES", 5)
    memory = Memory("things", tmp_path / "new")
    assert memory.get("a") is None
    for number in range(8):
        memory.put(f"key {number}", {"n": number})
    again = Memory("things", tmp_path / "new")
    assert again.get("key 7") == {"n": 7}
    assert again.get("key 0") is None
    assert len(json.loads((tmp_path / "new" / "things.json").read_text("utf-8"))) == 5
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["things.json"]


def test_memory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    memory = Memory("things", tmp_path / "file")
    memory.put("a", {})
    assert memory.get("a") is None


def test_a_memory_that_is_a_pipe_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "things.json")
    assert Memory("things", tmp_path).get("a") is None


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv(CACHE_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache_folder() == tmp_path / "qwq-gguf"


def test_no_cache_depends_on_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    assert cache_folder() == tmp_path / ".cache" / "qwq-gguf"
    monkeypatch.setenv(CACHE_VARIABLE, "cache")
    with pytest.raises(QwqGgufError, match="current one"):
        cache_folder()
    monkeypatch.setenv(CACHE_VARIABLE, "")
    monkeypatch.setenv("HOME", ".")
    with pytest.raises(QwqGgufError, match="current one"):
        cache_folder()
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_cache_in_which_others_may_write_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = own_cache("kernels", "abc", root=tmp_path / "cache")
    assert folder == tmp_path / "cache" / "kernels" / "abc"
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    Memory("things", tmp_path / "cache").put("a", {"n": 1})
    for place in ("cache", "cache/kernels", "cache/kernels/abc"):
        (tmp_path / place).chmod(0o777)
        assert own_cache("kernels", "abc", root=tmp_path / "cache") is None
        if place == "cache":
            assert Memory("things", tmp_path / "cache").get("a") is None
        (tmp_path / place).chmod(0o700)
    assert Memory("things", tmp_path / "cache").get("a") == {"n": 1}
    (tmp_path / "cache" / "things.json").chmod(0o666)
    assert Memory("things", tmp_path / "cache").get("a") is None
    # Another user's folder is what ours is to another user.
    monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)
    assert own_cache("kernels", "abc", root=tmp_path / "cache") is None
    memory = Memory("things", tmp_path / "cache")
    memory.put("b", {})
    monkeypatch.undo()
    assert [path.name for path in sorted((tmp_path / "cache").iterdir())] == [
        "kernels",
        "things.json",
    ]


@posix
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link", "large"])
def test_a_cache_that_is_no_file_of_ours_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "probe.json"
    match kind:
        case "pipe":
            os.mkfifo(path)  # reading it would wait for ever
        case "device":
            path.symlink_to("/dev/zero")  # and this would never end
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "nothing")
        case "large":
            path.write_bytes(b" " * (2 << 20))
    memory = Memory("probe", tmp_path)
    assert memory.get("a") is None
    memory.put("a", {"n": 1})
    assert memory.get("a") in (None, {"n": 1})  # replaced, or left alone; never read
