"""This machine as the planner sees it: what is free, how fast it is read, cards that are used."""

from __future__ import annotations

from qwq_gguf.errors import LibraryError
from qwq_gguf.machine import available_memory, cpu_identity, total_memory, usable_processors
from qwq_gguf.machine.bandwidth import is_busy, measure_bandwidth
from qwq_gguf.machine.devices import MIB, Device, Machine
from qwq_gguf.machine.driver_reports import Gpu, gpus_of
from qwq_gguf.machine.known_cards import published
from qwq_gguf.machine.recording import look

__all__ = ["this_machine"]

# For what other programs begin meanwhile; those that run have theirs already.
_RAM_RESERVE = 512 * MIB
_UNKNOWN_MEMORY = 8 << 30
_UNKNOWN_BANDWIDTH = 250e9
_MEASURED = "measured here"
_MOST_PROBES = 3  # on a machine that is always busy


def this_machine() -> tuple[Machine, tuple[str, ...]]:
    """What there is, and sentences about what of it is not used.

    Reading speed is measured once and remembered; where others were at work, a few times.
    """
    from qwq_gguf.machine import physical_cores

    free = available_memory()
    whole = total_memory() or free or _UNKNOWN_MEMORY
    speed = _bandwidth(physical_cores())
    ram = Device("main memory", whole, free or whole, speed, _MEASURED, _RAM_RESERVE)
    gpus = gpus_of(look(cards_only=True))
    notes: tuple[str, ...] = ()
    if gpus and not _offloads():
        notes = (
            f"{gpus[0].name} is not counted: the installed llama.cpp has no part for it "
            "(`qwq-gguf doctor` says what to install)",
        )
        gpus = ()
    unified = any(gpu.maker == "Apple" for gpu in gpus)
    cards = tuple(_device(gpu, number) for number, gpu in enumerate(gpus))
    return Machine("this machine", ram, cards, unified, usable_processors()), notes


def _device(gpu: Gpu, number: int) -> Device:
    known = published(gpu.name)
    memory = gpu.memory or (known.memory if known else _UNKNOWN_MEMORY)
    speed, source = (known.bandwidth, known.source) if known else (_UNKNOWN_BANDWIDTH, "a guess")
    free = memory if gpu.free is None else gpu.free
    return Device(gpu.name, memory, free, speed, source, number=number)


def _bandwidth(threads: int) -> float:
    from qwq_gguf.engine.loading.fact_cache import Memory

    memory, key = Memory("bandwidth"), f"2 {cpu_identity()} {threads}"
    known = memory.get(key)
    told = [(known or {}).get(name) for name in ("bytes_per_second", "probes")]
    best, probes = (value if isinstance(value, (int, float)) else 0 for value in told)
    if best > 0 and probes >= _MOST_PROBES:
        return float(best)
    probes = probes + 1 if is_busy() else _MOST_PROBES
    best = max(best, measure_bandwidth(threads))  # others can only make it less
    memory.put(key, {"bytes_per_second": best, "probes": probes})
    return float(best)


def _offloads() -> bool:
    from qwq_gguf.engine.llama.library import library_facts

    try:
        return library_facts().gpu_offload
    except LibraryError:
        return False
