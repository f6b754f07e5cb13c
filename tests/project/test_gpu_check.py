"""gpu_check ends in time, and its report is true wherever it was stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gpu import checks
from gpu.run import run_until
from gpu.some_tests import counted, some_of_the_tests

ROOT = Path(__file__).resolve().parents[2]
NAMES = [check.__name__ for check in checks.CHECKS]
CHECKS = ROOT / "scripts/lib/gpu/checks.py"


def checked(report: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, str(CHECKS), str(report), "--small", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(report.read_text()) if report.is_file() else {}
    return done.returncode, found, done.stderr


def test_what_is_begun_in_time_is_checked(tmp_path: Path) -> None:
    status, found, said = checked(tmp_path / "gpu.json", "--only", "devices,demo")
    assert status == 0, said
    assert set(found) == {"devices", "demo"}
    assert found["demo"]["right"] >= found["demo"]["of"] - 6


def test_what_is_not_begun_is_left_out(tmp_path: Path) -> None:
    report = tmp_path / "gpu.json"
    report.write_text('{"build": {"seconds": 300}}')
    status, found, _ = checked(report, "--until", "0")
    assert status == 0
    assert found.pop("build") == {"seconds": 300}
    assert {"devices", "layers", "runtime_tests", "speed"} <= set(found)
    assert all(part == {"left_out": "the time was up"} for part in found.values())


def test_the_same_command_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    report = tmp_path / "gpu.json"
    done = {"done": True, "seconds_in_all": 1.0}
    parts = dict.fromkeys(NAMES, done) | {
        "devices": {"left_out": "the time was up"},
        "sequences": {"cut_off": "the time was up in it"},
        "speed": {"failed": "as it always will"},
    }
    report.write_text(json.dumps(parts))
    status, found, said = checked(report)
    assert status == 0, said
    assert "llama.cpp" in found["devices"]
    assert found["sequences"]["of"] == 16
    assert {name for name, part in found.items() if part == parts[name]} == (
        set(NAMES) - {"devices", "sequences"}
    )


def test_a_check_that_fails_says_how_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/demo-F16.gguf").mkdir()  # so that the model can't be made
    status, found, _ = checked(tmp_path / "gpu.json", "--only", "devices,layers,demo")
    assert status == 1
    assert "demo-F16.gguf" in found["layers"]["failed"]
    assert found["demo"]["of"] == 30


def test_a_check_that_does_not_exist_is_no_check(tmp_path: Path) -> None:
    status, found, said = checked(tmp_path / "gpu.json", "--only", "devices,speeds")
    assert (status, found) == (1, {})
    assert "speeds" in said


def test_tests_are_counted() -> None:
    found = counted(
        "12 workers\n"
        "[gw3] [  8%] PASSED tests/engine/test_a.py::test_one \n"
        "[gw1] [ 16%] FAILED tests/engine/test_a.py::test_two[x y]\n"
        "[gw0] [100%] SKIPPED tests/engine/test_b.py::test_three\n"
        "tests/engine/test_a.py::test_four \n",
        None,
    )
    assert (found["ended"], found["passed"], found["failed"], found["skipped"]) == (False, 1, 1, 1)
    assert found["broken"] == ["tests/engine/test_a.py::test_two[x y]"]
    assert "12 workers" in found["told"]


def test_tests_are_run(tmp_path: Path) -> None:
    (tmp_path / "test_both.py").write_text(
        "def test_right(): pass\n\ndef test_wrong(): assert 1 == 2\n"
    )
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    found = some_of_the_tests(["test_both.py"], tmp_path, environment, seconds=120)
    assert (found["ended"], found["passed"], found["failed"]) == (True, 1, 1), found["told"]
    assert found["broken"] == ["test_both.py::test_wrong"]
    assert "assert 1 == 2" in found["told"]


def test_tests_end_when_the_time_is_up(tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text("import time\n\ndef test_long(): time.sleep(600)\n")
    began = time.monotonic()
    found = some_of_the_tests(["test_long.py"], tmp_path, os.environ, seconds=0)
    assert not found["ended"]
    assert time.monotonic() - began < 300


def test_what_a_stopped_command_had_started_stops_with_it(tmp_path: Path) -> None:
    program = "sleep 600 & echo $! >child; wait"
    assert run_until(time.time() + 300, ["true"]) == 0
    # The child's number is there before the time is up, or never.
    status = run_until(time.time() + 2, ["sh", "-c", program], cwd=tmp_path)
    assert status is None
    noted = tmp_path / "child"
    number = noted.read_text().strip() if noted.is_file() else ""
    patience = time.monotonic() + 60
    while number and (state := Path(f"/proc/{number}/stat")).is_file():
        try:
            if state.read_text().rpartition(")")[2].split()[0] in "ZX":
                break
        except OSError:
            break
        assert time.monotonic() < patience, "the child goes on"
        time.sleep(0.05)
