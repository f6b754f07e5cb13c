"""Running a command that may take minutes, with its output in a log."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

# What Ninja prints before each step, and CMake's Makefiles do not.
_STEP = re.compile(rb"\[(\d+)/(\d+)\] ")
_POLL_SECONDS = 0.5


def run_logged(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    step: Callable[[int, int], None] | None = None,
    patience: float = 10.0,
) -> int:
    """Append the command's output to `log`, call `step(done, total)` on the way.

    Returns the exit status. Whatever ends this function ends the command's whole process
    group too: no compiler goes on behind the user's back. `patience` is how many seconds
    it gets to tidy up.
    """
    with log.open("ab") as output:
        output.write(("$ " + " ".join(map(str, command)) + "\n").encode())
        output.flush()
        seen = output.tell()
        child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
        try:
            done, total = 0, 0
            while True:
                try:
                    return child.wait(timeout=_POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    pass
                if step is not None:
                    with log.open("rb") as so_far:
                        so_far.seek(seen)
                        text = so_far.read()
                    # Only whole lines: the rest is read again with its end.
                    text = text[: text.rfind(b"\n") + 1]
                    seen += len(text)
                    done, total = latest_step(text, (done, total))
                    step(done, total)
        finally:
            if child.poll() is None:
                _end(child, patience)


def latest_step(text: bytes, before: tuple[int, int]) -> tuple[int, int]:
    """The last `[done/total]` in a piece of Ninja's output, else what it was before."""
    steps = _STEP.findall(text)
    if not steps:
        return before
    done, total = steps[-1]
    return int(done), int(total)


def tail(log: Path, lines: int) -> str:
    """The end of a log: what a person looks at first when something failed."""
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(text[-lines:])


@contextmanager
def exclusive(path: Path, other: str) -> Iterator[None]:
    """One process at a time in here; a second one says that it waits for the `other`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # The file stays: removing it would let a third process lock a file of the same name.
    with path.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"    waiting for {other}", file=sys.stderr, flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _end(child: subprocess.Popen[bytes], patience: float) -> None:
    # The second signal is for whatever the first left of the group, its leader or others.
    for how in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(child.pid, how)
            child.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            continue
        except (ProcessLookupError, PermissionError):  # macOS: nothing but a zombie is left
            return
