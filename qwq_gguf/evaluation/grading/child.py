"""A child process for what has no bound of its own: a stranger's pattern, and sympy.

It is started when it is first asked, kept for the next question, and killed when it takes too
long; its memory is bounded. What is asked of it are JSON values (`inside.py`).
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from qwq_gguf.errors import EvaluationError

__all__ = ["ask_child"]

_INSIDE = Path(__file__).with_name("inside.py")
_STARTING = 30  # seconds for the interpreter, and sympy, on a machine that does much else
_MOST_TOLD = 1 << 20


class _Child:
    """One process, or none yet; from any thread, one question after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: set[str] = set()

    def ask(self, question: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        with self._lock:
            if self._process is None:
                self._process, self._ready = _start(), set()
            told: dict[str, Any] | None = {}
            if question["do"] not in self._ready:  # loading is not what the time is for
                told = _exchange(self._process, {"do": "load", "for": question["do"]}, _STARTING)
                self._ready.add(question["do"])
            if told is not None:
                told = _exchange(self._process, question, seconds)
            if told is None:
                self._end()
            return told

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    try:
                        pipe.close()
                    except OSError:  # what was still to be written has no reader any more
                        pass
            self._process = None

    def end(self) -> None:
        with self._lock:
            self._end()


def _start() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-X", "utf8", str(_INSIDE)]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise EvaluationError(
            "the graders' child process does not start", found=str(error)
        ) from None


def _exchange(
    process: subprocess.Popen[bytes], question: dict[str, Any], seconds: float
) -> dict[str, Any] | None:
    """What it says, None where the time is over or it has died."""
    assert process.stdin is not None
    assert process.stdout is not None
    deadline = time.monotonic() + seconds
    try:
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()
    except OSError:
        return None
    told = b""
    while not told.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            return None
        chunk = os.read(process.stdout.fileno(), 1 << 16)
        told += chunk
        if not chunk or len(told) > _MOST_TOLD:
            return None
    answer: dict[str, Any] = json.loads(told)
    return answer


_CHILD = _Child()
atexit.register(_CHILD.end)


def ask_child(question: dict[str, Any], *, seconds: float = 3) -> dict[str, Any] | None:
    """The child's answer, None where it took more than `seconds` or more memory than it may."""
    return _CHILD.ask(question, seconds)
