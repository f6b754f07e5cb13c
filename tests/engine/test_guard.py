from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qwq_gguf.engine.loading.guard import MARK, Ending, run_child

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals")


def run(script: str, timeout: float = 60.0) -> tuple[Ending, str]:
    outcome = run_child({"task": "x"}, timeout=timeout, command=[sys.executable, "-c", script])
    return outcome.ending, outcome.reason


def test_the_answer_is_the_marked_line() -> None:
    script = f"print('a'); print('{MARK}{{\"ok\": true, \"n\": 3}}'); print('b')"
    outcome = run_child({}, timeout=60, command=[sys.executable, "-c", script])
    assert outcome.ending is Ending.OK
    assert outcome.answer == {"ok": True, "n": 3}


def test_a_refusal_brings_its_reason() -> None:
    script = f'print(\'{MARK}{{"ok": false, "reason": "no"}}\')'
    assert run(script) == (Ending.REFUSED, "no")


@posix
def test_an_abort_brings_the_assertion() -> None:
    line = "/tmp/build/src/llama-vocab.cpp:2544: GGML_ASSERT(a == b) failed"
    script = f"import os, sys; print({line!r}, file=sys.stderr, flush=True); os.abort()"
    ending, reason = run(script)
    assert ending is Ending.CRASHED
    assert reason == "SIGABRT (llama-vocab.cpp:2544: GGML_ASSERT(a == b) failed)"


def test_a_child_that_hangs_is_ended() -> None:
    ending, reason = run("import time; time.sleep(60)", timeout=0.3)
    assert ending is Ending.TIMEOUT
    assert "0 s" in reason


@pytest.mark.parametrize(
    "script, reason",
    [
        ("raise ImportError('no module')", "ImportError: no module"),
        ("pass", "exit status 0"),
        (f"print('{MARK}nonsense')", "exit status 0"),
    ],
)
def test_a_child_that_fails_otherwise_says_how(script: str, reason: str) -> None:
    assert run(script) == (Ending.FAILED, reason)


def test_a_missing_interpreter_is_a_failure() -> None:
    outcome = run_child({}, timeout=1, command=["/nonexistent/python"])
    assert outcome.ending is Ending.FAILED


def test_the_real_child_does_not_import_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ctypes.py").write_text("raise SystemExit(9)", "utf-8")
    monkeypatch.chdir(tmp_path)
    request = {"task": "trial", "path": str(tmp_path / "none.gguf"), "gpu_layers": 0}
    request |= {"use_extra_bufts": True, "threads": 1, "n_ctx": 64, "mmap": True}
    outcome = run_child(request, timeout=120)
    assert outcome.ending is Ending.REFUSED
    assert "none.gguf" in outcome.reason or "open" in outcome.reason


@posix
@pytest.mark.parametrize("busy", ["time.sleep(60)", "ctypes.CDLL(None).sleep(60)"])
def test_a_child_ends_with_the_process_that_waits_for_it(tmp_path: Path, busy: str) -> None:
    """Killed, a parent cannot tell it anything."""
    import fcntl

    held = tmp_path / "held"
    child = (
        "import ctypes, fcntl, pathlib, time\n"
        "from qwq_gguf.engine.loading.child import end_with_parent\n"
        "end_with_parent()\n"
        f"lock = open({str(held)!r}, 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "lock.write('held'); lock.flush()\n"
        f"{busy}\n"
    )
    parent = (
        "import sys\n"
        "from qwq_gguf.engine.loading.guard import run_child\n"
        f"run_child({{}}, timeout=60, command=[sys.executable, '-c', {child!r}])\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent]) as waiting:
        _soon(lambda: held.read_text("utf-8").index("held"))
        waiting.kill()
    with held.open() as file:
        _soon(lambda: fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB))


def _soon(done: Callable[[], object]) -> None:
    """Return once `done` raises nothing: another process is on its way."""
    for _ in range(3000):
        try:
            done()
            return
        except (OSError, ValueError):
            time.sleep(0.01)
    done()


@posix
def test_no_file_is_left_open_whatever_the_child_does() -> None:
    def open_files() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = open_files()
    run("pass")
    run("import time; time.sleep(60)", timeout=0.1)
    run_child({}, timeout=1, command=["/nonexistent/python"])
    assert open_files() == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA")
@pytest.mark.parametrize("task, expected", [("trial", "bounded"), ("probe", "free")])
def test_a_strangers_file_cannot_make_the_child_eat_the_memory(task: str, expected: str) -> None:
    script = (
        "from qwq_gguf.engine.loading.child import _limit_damage\n"
        f"_limit_damage({{'task': {task!r}, 'mmap': True}})\n"
        "try:\n"
        "    bytearray(2 << 30); word = 'free'\n"  # asked for, never touched
        "except MemoryError:\n"
        "    word = 'bounded'\n"
        f'print(\'{MARK}{{"ok": false, "reason": "\' + word + \'"}}\')\n'
    )
    assert run(script) == (Ending.REFUSED, expected)
