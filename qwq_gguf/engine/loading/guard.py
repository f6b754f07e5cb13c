"""Do something dangerous in a child process first, and say how it ended.

llama.cpp answers some broken files and some processors with abort() or a fatal signal,
which no `except` can catch. A child that dies instead leaves us a sentence to say.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

__all__ = ["MARK", "Ending", "Outcome", "Runner", "run_child"]

# The child's answer is the line that begins with this; a library may print others.
MARK = "qwq-gguf:"

_PACKAGE_PARENT = Path(__file__).resolve().parents[3]
_MOST_OUTPUT = 1 << 16


class Ending(StrEnum):
    """How the child ended."""

    OK = "ok"
    REFUSED = "refused"  # it came back with a reason
    CRASHED = "crashed"  # a signal, an abort, an access violation
    TIMEOUT = "timeout"
    FAILED = "failed"  # Python itself: not what was to be found out


@dataclass(frozen=True, slots=True)
class Outcome:
    """The child's ending, the reason it gave or left behind, and its answer."""

    ending: Ending
    reason: str = ""
    answer: Mapping[str, Any] | None = None


class Runner(Protocol):
    """`run_child`, or a test's own."""

    def __call__(self, request: Mapping[str, Any], *, timeout: float) -> Outcome: ...


def run_child(
    request: Mapping[str, Any], *, timeout: float, command: Sequence[str] | None = None
) -> Outcome:
    """Run `runtime.child` on a request (a JSON object with a `task`) in a new interpreter.

    `command` replaces the interpreter's command line; the request is appended to it.
    """
    command = command or _child_command()
    environment = dict(os.environ)
    # The backtrace would start a debugger, the fault handler would print every thread.
    environment["GGML_NO_BACKTRACE"] = "1"
    environment.pop("PYTHONFAULTHANDLER", None)
    if request.get("gpu_layers") == 0:
        # A card that is not used need not be woken up.
        environment |= {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}
    # Nothing is ever written here. It closes when this process ends, however that happens,
    # and a child that nobody waits for any more ends itself (`child.end_with_parent`).
    theirs, ours = os.pipe()
    try:
        done = subprocess.run(
            [*command, json.dumps(request)],
            stdin=theirs,
            capture_output=True,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(Ending.TIMEOUT, f"no answer after {timeout:.0f} s")
    except OSError as error:
        return Outcome(Ending.FAILED, f"cannot start {command[0]}: {error}")
    finally:
        os.close(theirs)
        os.close(ours)
    return _judge(done.returncode, _text(done.stdout), _text(done.stderr))


def _child_command() -> list[str]:
    start = (
        "import sys; sys.path.insert(0, sys.argv[1]); "
        "from qwq_gguf.engine.loading.child import main; main(sys.argv[2])"
    )
    # -P: a file in the current folder must not pass for a module.
    return [sys.executable, "-P", "-c", start, str(_PACKAGE_PARENT)]


def _judge(code: int, out: str, err: str) -> Outcome:
    died = _death(code)
    if died == "SIGALRM":
        return Outcome(Ending.TIMEOUT, "no end of reading its vocabulary")
    if died is not None:
        return Outcome(Ending.CRASHED, f"{died}{_last_words(err)}")
    for line in reversed(out.splitlines()):
        if line.startswith(MARK):
            try:
                answer = json.loads(line.removeprefix(MARK))
            except ValueError:
                break
            if isinstance(answer, dict) and answer.get("ok") is True:
                return Outcome(Ending.OK, answer=answer)
            if isinstance(answer, dict):
                return Outcome(Ending.REFUSED, str(answer.get("reason", "")), answer)
    last = err.strip().splitlines()[-1:] or [f"exit status {code}"]
    return Outcome(Ending.FAILED, last[0])


def _death(code: int) -> str | None:
    """The name of what killed a process with this return code, or None if nothing did."""
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    if code >= 0xC0000000 or (sys.platform == "win32" and code == 3):  # 3: abort()
        return f"exception {code:#x}"
    return None


def _last_words(err: str) -> str:
    """What ggml printed when it aborted: 'file.cpp:123: GGML_ASSERT(...) failed'."""
    for line in err.splitlines():
        found = re.search(r"([\w.-]+:\d+: (?:GGML_ASSERT\(.*|\S.*))$", line)
        if found:
            return f" ({found[1][:300]})"
        if line.startswith("terminate called"):
            return " (an exception in the native library)"
    return ""


def _text(raw: bytes) -> str:
    return raw[-_MOST_OUTPUT:].decode("utf-8", "replace")
