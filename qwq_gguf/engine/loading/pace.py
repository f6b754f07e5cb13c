"""How fast this library computes on this processor, found out in a child (`pace_timing.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwq_gguf.engine.llama.library import library_facts
from qwq_gguf.engine.loading.guard import Ending, Runner, run_child
from qwq_gguf.engine.loading.probe import installed_identity, probe

__all__ = ["measure_pace"]

_TIMEOUT = 60.0


def measure_pace(threads: int, large: int, *, run: Runner = run_child) -> Mapping[str, Any] | None:
    """Seconds as `machine.pace.Pace` reads them; None where it can't be found out.

    `large` bytes of weights stand for those that are in no cache. It takes some five seconds.
    LibraryError where llama.cpp is missing or does not work.
    """
    how = probe(
        installed_identity(), gpu_offload=library_facts().gpu_offload, threads=threads, run=run
    )
    request = {
        "task": "pace",
        "gpu_layers": 0,
        "use_extra_bufts": how.use_extra_bufts,
        "mmap": True,
        "threads": threads,
        "large": large,
    }
    outcome = run(request, timeout=_TIMEOUT)
    return outcome.answer if outcome.ending is Ending.OK else None
