"""Runs tests for a bounded time, and says what came of those that ended."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gpu.run import run_until

__all__ = ["some_of_the_tests"]

# What xdist says of each test as it ends: "[gw1] [ 12%] PASSED tests/engine/test_model.py::test_it"
_ENDED = re.compile(
    r"^\[gw\d+\] \[ *\d+%\] (PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (.*?) *$", re.MULTILINE
)


def some_of_the_tests(
    tests: Iterable[str], root: Path, environment: Mapping[str, str], *, seconds: float
) -> dict[str, Any]:
    """How many passed, which failed and why; `ended` is false if the time was up before that."""
    workers = min(12, os.cpu_count() or 1)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "--tb=short"]
    command += ["-p", "xdist.plugin", "-n", str(workers), *tests]
    with tempfile.TemporaryFile() as file:
        status = run_until(
            time.time() + seconds,
            command,
            cwd=root,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        file.seek(0)
        printed = file.read().decode("utf-8", "replace")
    return counted(printed, status)


def counted(printed: str, status: int | None) -> dict[str, Any]:
    """From pytest's lines; a status of None is that of a run that was stopped."""
    results: dict[str, list[str]] = {}
    for result, test in _ENDED.findall(printed):
        results.setdefault(result.lower(), []).append(test)
    broken = [*results.get("failed", ()), *results.get("error", ())]
    return {
        "ended": status is not None,
        "status": status,
        **{result: len(of) for result, of in sorted(results.items())},
        "broken": broken[:80],
        # Reasons stand at the end, and there is none before it has ended.
        "told": "" if status == 0 else printed[-12_000:],
    }
