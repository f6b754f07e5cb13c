"""Trials run in processes that may die, hang or want all memory, and what came of them."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Bounds", "Crash", "Tally", "soak"]

_LIBRARIES = Path(__file__).resolve().parent.parent
_PATHS = (_LIBRARIES.parent.parent, _LIBRARIES.parent.parent / "tests", _LIBRARIES)
_ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join(map(str, _PATHS)),
    # The bound is on addresses, of which each thread's own heap would reserve 64 MiB.
    "MALLOC_ARENA_MAX": "1",
}
_START = 120.0  # seconds until the first trial: imports, and skipping to it


@dataclass(frozen=True, slots=True)
class Bounds:
    """`seconds` for one trial, `mib` of memory on top of what the imports need, and how many
    trials one process runs with one seed.
    """

    seconds: float = 30.0
    mib: int = 1024
    batch: int = 1000


@dataclass(frozen=True, slots=True)
class Crash:
    """A trial that was neither accepted nor refused; class, seed and number repeat it."""

    seed: int
    number: int
    label: str
    what: str


@dataclass(slots=True)
class Tally:
    """What came of the trials of one class."""

    name: str
    tried: int = 0
    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0  # seconds by the clock
    slowest_label: str = ""
    mib: float = 0.0  # of the whole process, interpreter and libraries with it
    mib_label: str = ""
    crashes: list[Crash] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return asdict(self)


def soak(
    name: str,
    count: int,
    seed: int,
    bounds: Bounds | None = None,
    told: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Run `count` trials of a class; each `bounds.batch` of them has the next seed."""
    bounds = bounds or Bounds()
    tally = Tally(name)
    while tally.tried < count:
        number, size = 0, min(bounds.batch, count - tally.tried)
        while number < size:  # a process that dies is followed by one that goes on behind it
            number = _run(tally, seed, number, size, bounds)
        seed += 1
        told(tally)
    return tally


def _run(tally: Tally, seed: int, first: int, last: int, bounds: Bounds) -> int:
    """Run trials until all are done or the process is; the number that comes next."""
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as folder:
        errors = Path(folder) / "stderr"
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        read, write = os.pipe()
        asked = [tally.name, seed, first, last, write, bounds.mib]
        with errors.open("wb") as stderr:
            child = subprocess.Popen(
                [sys.executable, "-m", "soak_inputs._child", *map(str, asked)],
                cwd=scratch,
                env=os.environ | _ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                pass_fds=(write,),
                start_new_session=True,
            )
        os.close(write)
        try:
            with open(read, "rb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor
                return _follow(tally, seed, first, pipe, child, errors, bounds)
        finally:
            _end(child)


def _follow(
    tally: Tally,
    seed: int,
    number: int,
    pipe: Any,
    child: subprocess.Popen[bytes],
    errors: Path,
    bounds: Bounds,
) -> int:
    label: str | None = None  # of the trial that is running
    rest, last = b"", time.monotonic()
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        while True:
            patience = bounds.seconds if label is not None else _START
            if not ready.select(max(0.0, last + patience - time.monotonic())):
                if label is None:
                    raise RuntimeError(f"{tally.name}: no trial began in {patience:g} s")
                _count(tally, Crash(seed, number, label, f"no end in {patience:g} s"))
                return number + 1
            data = pipe.read(1 << 16)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                last = time.monotonic()
                said = json.loads(line)
                if "begun" in said:
                    number, label = said["begun"], said["label"]
                else:
                    assert label is not None
                    _note(tally, Crash(seed, number, label, said["where"]), said)
                    number, label = number + 1, None
    code = child.wait()
    if label is not None:
        name = signal.Signals(-code).name if code < 0 else f"exit {code}"
        said_last = errors.read_text(errors="replace").strip().splitlines()[-1:]
        _count(tally, Crash(seed, number, label, f"the process died: {name} {said_last}"))
        return number + 1
    if code:
        raise RuntimeError(f"{tally.name}: {errors.read_text(errors='replace')[-2000:]}")
    return number


def _note(tally: Tally, trial: Crash, said: dict[str, Any]) -> None:
    if said["seconds"] > tally.slowest:
        tally.slowest, tally.slowest_label = said["seconds"], trial.label
    if said["mib"] > tally.mib:
        tally.mib, tally.mib_label = said["mib"], trial.label
    if said["result"] == "crashed":
        _count(tally, trial)
        return
    tally.tried += 1
    if said["result"] == "accepted":
        tally.accepted += 1
    else:
        tally.refused += 1


def _count(tally: Tally, crash: Crash) -> None:
    tally.tried += 1
    tally.crashes.append(crash)


def _end(child: subprocess.Popen[bytes]) -> None:
    """The process and whatever it started, all of one session."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()
