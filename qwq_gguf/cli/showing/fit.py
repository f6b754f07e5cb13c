"""What `fit` shows: the machine, a row for each recipe, a bar of the memory, what to type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from qwq_gguf.cli.terminal.output import emit, note, show_table
from qwq_gguf.words import human_bytes, human_count, human_time, one_line

if TYPE_CHECKING:
    from qwq_gguf.jobs.fitting import Fit
    from qwq_gguf.machine.choosing import Row
    from qwq_gguf.machine.devices import Device
    from qwq_gguf.machine.placing import Share

__all__ = ["memory_bar", "show_fit"]

_WIDE = 48
_PARTS = (("weights", "█"), ("cache", "▓"), ("buffers", "▒"), ("kept free", "░"))
_COLUMNS = (
    "recipe",
    "size",
    "context",
    "longest",
    "cache",
    "on card",
    "tok/s ~",
    "thought ~",
    "long ~",
    "to make ~",
    "",
)
_RIGHT = "size,context,longest,on card,tok/s ~,thought ~,long ~,to make ~"


def show_fit(found: Fit, *, everything: bool = False) -> None:
    """Print all of it; formats that others outdo only with `everything`."""
    shape = found.shape
    parameters = found.rows[0].candidate.parameters
    emit(
        f"{one_line(found.name)}: {human_count(parameters)} weights, {shape.layers} layers, "
        f"{human_bytes(shape.cache.nbytes(1) - shape.cache.state)} of cache a token"
    )
    for each in (found.machine.ram, *found.machine.cards):
        emit(f"{one_line(each.name)}: {_device(each)}")
    for line in found.notes:
        note(f"note: {line}")
    emit("")
    rows = [row for row in found.rows if everything or not row.candidate.outdone] or found.rows
    show_table(_COLUMNS, [_row(found, row) for row in rows], right=_RIGHT)
    thought = found.thought
    emit(
        f"\nthoughts: {thought.typical:,} tokens a typical one, {thought.long:,} a long one\n"
        f"  {one_line(thought.source, 400)}"
    )
    best = found.best
    if best is None or best.placed is None:
        emit(f"\nnothing to recommend: {found.why}")
        return
    emit("")
    machine = found.machine
    shares = [(machine.ram, best.placed.ram), *zip(machine.cards, best.placed.cards, strict=True)]
    for device, share in shares:
        if share.total and not (machine.unified and device is machine.ram):
            emit(f"{memory_bar(device, share)}  {one_line(device.name)}")
    emit("  ".join(f"{mark} {name}" for name, mark in _PARTS))
    emit(f"\nrecommended: {best.candidate.recipe}, because {found.why}\n")
    for line in found.commands():
        emit(f"  {line}")


def memory_bar(device: Device, share: Share) -> str:
    """A memory with what is in it, as wide as `_WIDE` letters, with its sum in words.

    What other programs have is at the end, empty.
    """
    parts = (share.weights, share.cache, share.buffers, device.reserve)
    letters, done, ends = "", 0, 0
    for (_, mark), size in zip(_PARTS, parts, strict=True):
        done += size
        end = min(_WIDE, round(_WIDE * done / max(1, device.memory)))
        letters += mark * (end - ends)
        ends = max(ends, end)
    free = human_bytes(max(0, device.usable - share.total))
    return (
        f"[{letters:<{_WIDE}}] {human_bytes(share.total)} of {human_bytes(device.memory)}, "
        f"{free} left"
    )


def _device(device: Device) -> str:
    return (
        f"{human_bytes(device.free)} free of {human_bytes(device.memory)}, "
        f"{human_bytes(device.reserve)} of it kept free; {device.bandwidth / 1e9:,.0f} GB/s "
        f"({one_line(device.source, 120)})"
    )


def _row(found: Fit, row: Row) -> tuple[object, ...]:
    recipe, size = row.candidate.recipe, human_bytes(row.candidate.file_bytes)
    if row.placed is None:
        return (recipe, size, *[""] * 8, "too large")
    placed = row.placed
    layers = ""
    if found.machine.cards:
        layers = f"{placed.gpu_layers}/{placed.layers}"
    making = "" if found.made else human_time(found.making_seconds(row))
    return (
        recipe,
        size,
        f"{placed.context:,}",
        f"{row.most:,}",
        placed.kind.name.lower(),
        layers,
        f"{row.speed:.1f}" if row.speed < 100 else f"{row.speed:.0f}",
        human_time(row.seconds(found.thought.typical)),
        human_time(row.seconds(found.thought.long)),
        making,
        ", ".join(_notes(found, row)),
    )


def _notes(found: Fit, row: Row) -> Iterator[str]:
    if row is found.best:
        yield "recommended"
    if row.placed is not None and row.placed.cpu_experts:
        yield f"experts of {row.placed.cpu_experts} layers in main memory"
    if not row.enough:
        yield "no room for a thought"
