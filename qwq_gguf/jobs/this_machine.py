"""This machine as the planner sees it: what is free, how fast it is read, cards that are used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from qwq_gguf.errors import LibraryError
from qwq_gguf.machine import available_memory, cpu_identity, total_memory, usable_processors
from qwq_gguf.machine.bandwidth import is_busy, measure_bandwidth
from qwq_gguf.machine.card_pace import CardPace
from qwq_gguf.machine.devices import MIB, USUAL_BANDWIDTH, Device, Machine
from qwq_gguf.machine.driver_reports import Gpu, gpus_of
from qwq_gguf.machine.known_cards import published
from qwq_gguf.machine.pace import Pace
from qwq_gguf.machine.recording import look

__all__ = ["this_machine"]

# For what other programs begin meanwhile; those that run have theirs already.
_RAM_RESERVE = 512 * MIB
_UNKNOWN_MEMORY = 8 << 30
_UNKNOWN_BANDWIDTH = 250e9
_MEASURED = "measured here"
_MOST_PROBES = 3  # on a machine that is always busy
_LARGE, _LARGE_ON_CARD = 1024 * MIB, 384 * MIB  # that no cache holds


def this_machine(*, timed: bool = True) -> tuple[Machine, tuple[str, ...]]:
    """What there is, and sentences about what of it is not used.

    How fast it reads and computes is measured once and remembered; where others were at work, a few
    times. Who asks for memory only need not wait for that: not `timed`, its speeds are a guess.
    """
    from qwq_gguf.machine import physical_cores

    free = available_memory()
    whole = total_memory() or free or _UNKNOWN_MEMORY
    ram = Device("main memory", whole, free or whole, USUAL_BANDWIDTH, "a guess", _RAM_RESERVE)
    if timed:
        threads = physical_cores()
        large = min(_LARGE, ram.free // 8)
        speed, pace = _bandwidth(threads, large), _pace(threads, large // 2)
        ram = replace(ram, bandwidth=speed, source=_MEASURED, pace=pace)
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
    seen = _card_pace(cards) if timed and cards else None
    return Machine("this machine", ram, cards, unified, usable_processors(), seen), notes


def _device(gpu: Gpu, number: int) -> Device:
    known = published(gpu.name)
    memory = gpu.memory or (known.memory if known else _UNKNOWN_MEMORY)
    speed, source = (known.bandwidth, known.source) if known else (_UNKNOWN_BANDWIDTH, "a guess")
    free = memory if gpu.free is None else gpu.free
    return Device(gpu.name, memory, free, speed, source, number=number)


def _bandwidth(threads: int, large: int) -> float:
    def read(told: Mapping[str, Any]) -> float | None:
        value = told.get("bytes_per_second")
        return float(value) if isinstance(value, (int, float)) and value > 0 else None

    best = _best_known(
        "bandwidth",
        f"3 {cpu_identity()} {threads}",
        measure=lambda: {"bytes_per_second": measure_bandwidth(threads, large)},
        read=read,
        better=max,
        tell=lambda value: {"bytes_per_second": value},
    )
    return best or USUAL_BANDWIDTH


def _pace(threads: int, large: int) -> Pace | None:
    from qwq_gguf.engine.loading.pace import measure_pace

    return _timed("pace", "4", str(threads), Pace, lambda: measure_pace(threads, large))


def _card_pace(cards: tuple[Device, ...]) -> CardPace | None:
    from qwq_gguf.engine.loading.pace import measure_card_pace
    from qwq_gguf.machine import physical_cores

    large = min(_LARGE_ON_CARD, *(card.free // 8 for card in cards))
    threads = physical_cores()
    names = " ".join(card.name for card in cards)
    return _timed("card-pace", "1", names, CardPace, lambda: measure_card_pace(threads, large))


P = TypeVar("P", Pace, CardPace)


def _timed(
    topic: str,
    version: str,
    what: str,
    kind: type[P],
    measure: Callable[[], Mapping[str, Any] | None],
) -> P | None:
    """How fast this library was seen to compute on `what`; None where it does not work."""
    from qwq_gguf.engine.loading.probe import installed_identity

    try:
        return _best_known(
            topic,
            f"{version} {installed_identity()} {what}",
            measure=measure,
            read=kind.of,
            better=kind.best,
            tell=kind.to_json,
        )
    except LibraryError:
        return None


T = TypeVar("T")


def _best_known(
    topic: str,
    key: str,
    *,
    measure: Callable[[], Mapping[str, Any] | None],
    read: Callable[[Mapping[str, Any]], T | None],
    better: Callable[[T, T], T],
    tell: Callable[[T], Mapping[str, Any]],
) -> T | None:
    """What is remembered, after another measurement where earlier ones were on a busy machine, up
    to a few: others can only have made it worse. None where it can't be measured.
    """
    from qwq_gguf.engine.loading.fact_cache import Memory

    memory = Memory(topic)
    known = memory.get(key) or {}
    probes, told = known.get("probes"), known.get("best")
    probes = probes if isinstance(probes, int) else 0
    best = read(told) if isinstance(told, Mapping) else None
    if probes >= _MOST_PROBES:
        return best
    probes = probes + 1 if is_busy() else _MOST_PROBES
    seen = read(measure() or {})
    if seen is not None:
        best = seen if best is None else better(best, seen)
    memory.put(key, {"probes": probes, "best": None if best is None else tell(best)})
    return best


def _offloads() -> bool:
    from qwq_gguf.engine.llama.library import library_facts

    try:
        return library_facts().gpu_offload
    except LibraryError:
        return False
