"""Starting a confined child, reading what it prints, and ending it."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from qwq_gguf.confinement.fences import Fences, Limits, fences_for, why_not
from qwq_gguf.errors import ToolError
from qwq_gguf.temporary import temporary_folder

__all__ = ["Ended", "Ran", "run_confined"]

_INSIDE = Path(__file__).with_name("inside.py")
_READY = 6  # the byte that says that all fences stand
_LANDLOCK_CREATE, _LANDLOCK_VERSION = 444, 1
_STARTING = 30  # seconds for the interpreter, on a machine that does much else
_SECONDS_AFTER = 1  # by the clock, for a program whose seconds of the core are over
_CHUNK = 1 << 16
_LOOK = 0.1  # seconds between two looks whether it is still wanted


def _never() -> bool:
    return False


class Ended(StrEnum):
    """How a program ended."""

    DONE = "done"
    FAILED = "failed"  # an exception that nobody caught, or a status
    TIME = "time"  # it was ended when its seconds were over
    OUTPUT = "output"  # it was ended because it printed too much
    SIGNAL = "signal"  # a fault, or memory that it did not get
    CANCELLED = "cancelled"  # nobody waits for it any more


@dataclass(frozen=True, slots=True)
class Ran:
    """What a program printed, and how it ended; `signal` is the name of what ended it."""

    output: str
    ended: Ended
    signal: str = ""


def run_confined(
    program: str,
    limits: Limits | None = None,
    *,
    cancelled: Callable[[], bool] = _never,
    namespaces: bool = True,
) -> Ran:
    """Run a Python program that can compute and print, and nothing else; wait for its end.

    `cancelled` is asked ten times a second; once it says True the program is ended.
    `namespaces` is False to see that the fences hold without them.

    ToolError, and nothing is run, where it cannot be confined.
    """
    limits = limits or Limits()
    fences = _fences(limits, namespaces)
    # A folder of its own to stand in; the file with the program has no name.
    with (
        temporary_folder() as folder,
        tempfile.TemporaryFile() as file,
    ):
        told = fences.to_json() | {"parent": os.getpid(), "ready": _READY, "code": program}
        file.write(json.dumps(told).encode())
        file.seek(0)
        child = _start(folder, file)
        try:
            return _follow(child, limits, cancelled)
        finally:
            _end(child)


def _fences(limits: Limits, namespaces: bool) -> Fences:
    machine, version = platform.machine(), _landlock_version()
    reason = why_not(platform.system(), machine, version)
    if reason is None and not sys.executable:
        reason = "this program does not know its own interpreter"
    if reason is not None:
        raise _unconfined(reason)
    return fences_for(machine, version, limits, namespaces=namespaces)


def _landlock_version() -> int:
    """The version of Landlock in the running kernel, 0 without one."""
    if platform.system() != "Linux":
        return 0
    found: int = ctypes.CDLL(None).syscall(_LANDLOCK_CREATE, None, 0, _LANDLOCK_VERSION)
    return max(0, found)


def _start(folder: Path, stdin: IO[bytes]) -> subprocess.Popen[bytes]:
    # Nothing of the environment, no folder of the user's for modules, no site-packages.
    command = [sys.executable, "-I", "-S", "-X", "utf8", str(_INSIDE)]
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"LANG": "C.UTF-8"},
            close_fds=True,
            start_new_session=True,
        )
    except OSError as error:
        raise _unconfined(f"its interpreter does not start: {error}") from None


def _follow(child: subprocess.Popen[bytes], limits: Limits, cancelled: Callable[[], bool]) -> Ran:
    assert child.stdout is not None
    began = time.monotonic()
    first = _read(child.stdout, began + _STARTING, 1, cancelled)
    if first is None and cancelled():
        return Ran("", Ended.CANCELLED)
    if first != bytes([_READY]):
        rest = b"" if first is None else _read(child.stdout, began + _STARTING, 4096)
        said = ((first or b"") + (rest or b"")).decode("utf-8", "replace").strip()
        raise _unconfined(said[:300] or "its interpreter does not start")
    began = time.monotonic()
    deadline = began + limits.seconds + _SECONDS_AFTER
    printed = b""
    over: Ended | None = None
    while over is None:
        chunk = _read(child.stdout, deadline, _CHUNK, cancelled)
        if chunk == b"":
            break
        printed += chunk or b""
        over = Ended.TIME if chunk is None else None
        if len(printed) > limits.output:
            over = Ended.OUTPUT
    if over is None and not _wait(child, deadline, cancelled):  # it has closed what it prints to
        over = Ended.TIME
    text = printed[: limits.output].decode("utf-8", "replace")
    if over is Ended.TIME and cancelled():
        over = Ended.CANCELLED
    if over is not None:
        return Ran(text, over)
    return _ran(text, child.returncode, time.monotonic() - began >= limits.seconds / 2)


def _ran(text: str, status: int, long: bool) -> Ran:
    if status >= 0:
        return Ran(text, Ended.DONE if status == 0 else Ended.FAILED)
    if -status == signal.SIGKILL and long:
        return Ran(text, Ended.TIME)  # the limit of the core's seconds
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return Ran(text, Ended.SIGNAL, name)


def _read(
    pipe: IO[bytes], deadline: float, most: int, cancelled: Callable[[], bool] = _never
) -> bytes | None:
    """Some bytes, none at the end, None when the time is over or nobody waits any more."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0 and not cancelled():
        if poll.poll(min(left, _LOOK) * 1000):
            return os.read(pipe.fileno(), most)
    return None


def _wait(child: subprocess.Popen[bytes], deadline: float, cancelled: Callable[[], bool]) -> bool:
    """Whether it ended in time, and while somebody waited."""
    while (left := deadline - time.monotonic()) > 0 and not cancelled():
        try:
            child.wait(min(left, _LOOK))
        except subprocess.TimeoutExpired:
            continue
        return True
    return False


def _end(child: subprocess.Popen[bytes]) -> None:
    """No child is left, whatever happened; it is the only one of its group."""
    child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _unconfined(reason: str) -> ToolError:
    return ToolError(
        "programs of a model cannot be confined here, so none is run",
        found=reason,
        hint="leave the tool python out; the others need no fences",
    )
