"""Long commands: their log, their progress, and that nothing outlives them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import setup_env
from setup_env.meter import Meter, minutes
from setup_env.process import exclusive, latest_step, run_logged, tail

NINJA = """
import time
for step in range(1, 4):
    print(f"[{step}/3] /usr/bin/c++ -c file{step}.cpp", flush=True)
    time.sleep(0.7)
"""
SECOND = """
import sys
from pathlib import Path
from setup_env.process import exclusive
with exclusive(Path(sys.argv[1]), "another build"):
    sys.exit(not Path(sys.argv[2]).exists())
"""
FOREVER = """
import os, sys, time, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""


@pytest.mark.parametrize(
    "text, expected",
    [
        (b"", (7, 9)),
        (b"configuring\n", (7, 9)),
        (b"  [8/193] /usr/bin/g++ -c x\n", (8, 193)),
        (b"[8/193] a\nwarning: b\n[10/193] c\n", (10, 193)),
        (b"array[3/4]\n", (7, 9)),
    ],
)
def test_latest_step(text: bytes, expected: tuple[int, int]) -> None:
    assert latest_step(text, (7, 9)) == expected


def test_output_goes_to_the_log_and_steps_are_seen(tmp_path: Path) -> None:
    log = tmp_path / "log"
    steps: list[tuple[int, int]] = []
    command = [sys.executable, "-c", NINJA]
    status = run_logged(
        command, log=log, environment=os.environ, step=lambda *step: steps.append(step)
    )
    assert status == 0
    assert steps == sorted(steps)
    assert steps[-1][1] == 3
    assert log.read_text(encoding="utf-8").startswith("$ ")
    assert tail(log, 1) == "[3/3] /usr/bin/c++ -c file3.cpp"


def test_the_exit_status_is_the_commands(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    assert run_logged(command, log=tmp_path / "log", environment=os.environ) == 3


def test_an_interrupt_ends_even_a_stubborn_command(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    def interrupt(_done: int, _total: int) -> None:
        if pid_file.exists() and pid_file.read_text(encoding="utf-8"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_logged(
            [sys.executable, "-c", FOREVER, pid_file],
            log=tmp_path / "log",
            environment=os.environ,
            step=interrupt,
            patience=0.2,
        )
    pid = int(pid_file.read_text(encoding="utf-8"))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "x"
    released = tmp_path / "released"
    environment = {**os.environ, "PYTHONPATH": str(Path(setup_env.__file__).parents[1])}
    with exclusive(lock, "another"):
        second = subprocess.Popen(
            [sys.executable, "-c", SECOND, lock, released],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert second.stderr is not None
        assert second.stderr.readline().strip() == "waiting for another build"
        released.touch()
    with second:
        assert second.wait(timeout=30) == 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_file_gets_a_line_now_and_then() -> None:
    now = 0.0
    stream = io.StringIO()
    meter = Meter("compiling", stream=stream, clock=lambda: now)
    for done in range(101):
        now = float(done)
        meter.update(done, 100)
    meter.close()
    assert stream.getvalue().splitlines() == [
        "    compiling:   0 %  step 0 of 100  0:00 so far",
        "    compiling:  30 %  step 30 of 100  0:30 so far, about 1:10 left",
        "    compiling:  60 %  step 60 of 100  1:00 so far, about 0:40 left",
        "    compiling:  90 %  step 90 of 100  1:30 so far, about 0:10 left",
    ]


def test_a_terminal_gets_one_line_that_is_removed_again() -> None:
    stream = Terminal()
    meter = Meter("compiling", stream=stream, clock=lambda: 0.0)
    meter.update(0, 0)
    meter.update(1, 200)
    meter.close()
    shown = stream.getvalue()
    assert "\n" not in shown
    assert "left" not in shown
    assert shown.endswith("\r\033[K")


@pytest.mark.parametrize("seconds, text", [(0, "0:00"), (59.6, "1:00"), (3599, "59:59")])
def test_minutes(seconds: float, text: str) -> None:
    assert minutes(seconds) == text
