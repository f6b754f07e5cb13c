"""Load a file that was never seen before in a child first, where an abort costs nothing.

Besides a fraction of a second this takes the time of reading the file once, which the
load after it then saves (the pages stay in memory). Files that passed are remembered by
path, size and time, together with the library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from qwq_gguf.engine.loading.fact_cache import Memory
from qwq_gguf.engine.loading.guard import Ending, Runner, run_child
from qwq_gguf.errors import LibraryError, ModelError

__all__ = ["ensure_loads"]

# Seconds, and bytes a second that even a slow network disk delivers.
_TIMEOUT = 300.0
_SLOWEST_READ = 5e6


def ensure_loads(
    parts: Sequence[Path],
    *,
    identity: str,
    context: int,
    use_extra_bufts: bool,
    mmap: bool,
    threads: int,
    memory: Memory | None = None,
    run: Runner = run_child,
) -> None:
    """ModelError unless this library can load these files (the parts of one model).

    `identity` names the library, `context` is the size that will be used.
    """
    memory = Memory("trials") if memory is None else memory
    key = _key(parts, f"{identity} {context} {use_extra_bufts}")
    if memory.get(key) is not None:
        return
    request = {
        "task": "trial",
        "path": str(parts[0].resolve()),
        "n_ctx": context,
        "gpu_layers": 0,
        "use_extra_bufts": use_extra_bufts,
        "mmap": mmap,
        "threads": min(threads, 8),  # each has a stack
    }
    size = sum(part.stat().st_size for part in parts)
    outcome = run(request, timeout=_TIMEOUT + size / _SLOWEST_READ)
    match outcome.ending:
        case Ending.OK:
            memory.put(key, {})
        case Ending.REFUSED:
            raise ModelError("llama.cpp cannot load this file", path=parts[0], found=outcome.reason)
        case Ending.CRASHED | Ending.TIMEOUT:
            raise ModelError(
                "llama.cpp breaks down over this file",
                path=parts[0],
                found=outcome.reason,
                hint="the file is damaged or made by a faulty tool: get or make it again",
            )
        case Ending.FAILED:
            raise LibraryError("the trial load could not be run", found=outcome.reason)


def _key(parts: Sequence[Path], how: str) -> str:
    digest = hashlib.sha256(how.encode())
    for part in parts:
        status = part.stat()
        place = str(part.resolve()).encode("utf-8", "surrogateescape")
        digest.update(b"\n%s %d %d" % (place, status.st_size, status.st_mtime_ns))
    return digest.hexdigest()[:32]
