"""How fast this library computes on this processor and on the cards that are here, found out in a
child (`pace_timing.py`, `card_timing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwq_gguf.engine.llama.library import library_facts
from qwq_gguf.engine.loading.guard import Ending, Runner, run_child
from qwq_gguf.engine.loading.probe import installed_identity, probe

__all__ = ["measure_card_pace", "measure_pace"]

_TIMEOUT, _CARD_TIMEOUT = 60.0, 120.0


def measure_pace(threads: int, large: int, *, run: Runner = run_child) -> Mapping[str, Any] | None:
    """Seconds as `machine.pace.Pace` reads them; None where it can't be found out.

    `large` bytes of weights stand for those that are in no cache. It takes some seven seconds.
    LibraryError where llama.cpp is missing or does not work.
    """
    return _measure("pace", 0, threads, large, run, _TIMEOUT)


def measure_card_pace(
    threads: int, large: int, *, run: Runner = run_child
) -> Mapping[str, Any] | None:
    """The same of the cards, as `machine.card_pace.CardPace` reads it; None, too, where the library
    cannot use them.
    """
    return _measure("card pace", -1, threads, large, run, _CARD_TIMEOUT)


def _measure(
    task: str, gpu_layers: int, threads: int, large: int, run: Runner, timeout: float
) -> Mapping[str, Any] | None:
    offload = library_facts().gpu_offload
    how = probe(installed_identity(), gpu_offload=offload, threads=threads, run=run)
    if gpu_layers and not (offload and how.use_gpu):
        return None
    request = {
        "task": task,
        "gpu_layers": gpu_layers,
        "use_extra_bufts": how.use_extra_bufts,
        "mmap": True,
        "threads": threads,
        "large": large,
    }
    outcome = run(request, timeout=timeout)
    return outcome.answer if outcome.ending is Ending.OK else None
