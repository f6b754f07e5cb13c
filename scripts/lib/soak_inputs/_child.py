"""The process in which trials run: `python -m soak_inputs._child CLASS SEED FIRST LAST FD MIB`.

It writes one line of JSON to the descriptor FD before and after each trial, so that the
parent knows which one a death or a silence belongs to.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import signal
import sys
import time
import traceback
from itertools import islice
from pathlib import Path

from qwq_gguf.errors import QwqGgufError
from soak_inputs import trials_of

__all__ = ["attempt", "main"]

_MEMORY = Path("/proc/self/status")


def attempt(thunk: object) -> tuple[str, str]:
    """Run a trial: `accepted`, `refused` or `crashed`, and where that went wrong."""
    assert callable(thunk)
    try:
        thunk()
    except QwqGgufError:
        return "refused", ""
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if "/qwq_gguf/" in frame.filename] or frames[-1:]
        at = ", ".join(f"{Path(f.filename).name}:{f.lineno}" for f in ours[-3:])
        return "crashed", f"{type(error).__name__}: {str(error)[:200]!r} at {at}"
    return "accepted", ""


def peak_memory() -> float:
    """The most memory this process has had, in MiB."""
    try:
        for line in _MEMORY.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _bound_memory(mib: int) -> None:
    """So much more than there is now: importing maps a lot that is never used."""
    try:
        words = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines())
    except OSError:  # not Linux, where the bound would not work either
        return
    limit = int(words["VmSize"].split()[0]) * 1024 + (mib << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def main(arguments: list[str]) -> None:
    """Run the trials FIRST to LAST (exclusive) of one class and seed."""
    name, seed, first, last, descriptor, mib = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    faulthandler.enable()
    out = os.fdopen(int(descriptor), "w", buffering=1)
    started = trials_of(name, int(seed))
    bounded = False
    for number, (label, thunk) in enumerate(islice(started, int(last))):
        if number < int(first):
            continue
        if not bounded:
            _bound_memory(int(mib))
            bounded = True
        print(json.dumps({"begun": number, "label": label}), file=out)
        begun = time.monotonic()
        result, where = attempt(thunk)
        seconds = time.monotonic() - begun
        said = {"result": result, "where": where, "seconds": seconds, "mib": peak_memory()}
        print(json.dumps(said), file=out)


if __name__ == "__main__":
    main(sys.argv[1:])
