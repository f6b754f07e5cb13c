"""How long a model's thoughts were in `eval thinking`, remembered for `fit`.

They are kept by what a model calls itself and by its shape, so that every quant of it and the
checkpoint have the same. Replies whose thoughts were cut are left out: by a budget, the context or
a limit of tokens they are as long as they may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from qwq_gguf.chat.events import ThoughtEnded
from qwq_gguf.engine.loading.fact_cache import Memory
from qwq_gguf.machine.thought_lengths import ThoughtLength

if TYPE_CHECKING:
    from qwq_gguf.evaluation.asking.sample import Cell, Sample
    from qwq_gguf.metadata import KeyValue

__all__ = ["measured_length", "remember_lengths"]

_TOPIC = "thoughts"
_LEAST = 20
"""Thoughts of which the 95th percentile is one of them, and not the longest."""
_MOST_TOKENS = 1 << 24
_CUT = frozenset(
    {
        *(ThoughtEnded.BUDGET, ThoughtEnded.TIME, ThoughtEnded.RESERVE, ThoughtEnded.ASKED),
        *(ThoughtEnded.LENGTH, ThoughtEnded.CONTEXT, ThoughtEnded.INTERRUPTED),
    }
)


def remember_lengths(
    metadata: Mapping[str, KeyValue],
    samples: Iterable[Sample],
    suites: Sequence[str],
    today: date,
) -> ThoughtLength | None:
    """Keep what these replies of one model say; None where it is too little. `suites` are the names
    of what was asked.
    """
    key = _key(metadata)
    cells: dict[Cell, list[Sample]] = {}
    for sample in samples:
        if sample.thought_tokens:
            cells.setdefault(sample.cell, []).append(sample)
    lengths = sorted(
        each.thought_tokens for cell in cells.values() if _whole(cell) for each in cell
    )
    if key is None or len(lengths) < _LEAST:
        return None
    value = {
        "typical": round(sum(lengths) / len(lengths)),
        "long": lengths[-(-95 * len(lengths) // 100) - 1],  # the nearest rank
        "thoughts": len(lengths),
        "suites": list(suites),
        "day": today.isoformat(),
    }
    Memory(_TOPIC).put(key, value)
    return _length(value)


def measured_length(metadata: Mapping[str, KeyValue]) -> ThoughtLength | None:
    """What was measured of this model on this computer, if anything was."""
    key = _key(metadata)
    value = None if key is None else Memory(_TOPIC).get(key)
    return None if value is None else _length(value)


def _whole(thoughts: Sequence[Sample]) -> bool:
    """Whether so few were cut that their 95th percentile is known."""
    return 20 * sum(each.thought_ended in _CUT for each in thoughts) <= len(thoughts)


def _key(metadata: Mapping[str, KeyValue]) -> str | None:
    """What a model calls itself, however spelled, and its shape; None without a name."""
    architecture = _value(metadata, "general.architecture")
    name = str(_value(metadata, "general.name") or "")
    called = "".join(letter for letter in name.lower() if letter.isalnum())
    if not called or architecture is None:
        return None
    shape = [_value(metadata, f"{architecture}.{n}") for n in ("block_count", "embedding_length")]
    return " ".join(map(str, (called, architecture, *shape)))


def _value(metadata: Mapping[str, KeyValue], name: str) -> Any:
    found = metadata.get(name)
    return None if found is None or found.element is not None else found.scalar


def _length(value: Mapping[str, Any]) -> ThoughtLength | None:
    """None for what this program has not written."""
    numbers = [value.get(name) for name in ("typical", "long", "thoughts")]
    suites, day = value.get("suites"), value.get("day")
    known = [n for n in numbers if type(n) is int and 0 < n <= _MOST_TOKENS]
    if len(known) < len(numbers) or not isinstance(suites, list) or not isinstance(day, str):
        return None
    typical, long, thoughts = known
    return ThoughtLength(
        typical,
        max(typical, long),
        f"Measured here on {day}, the mean and the 95th percentile of {thoughts} thoughts: "
        f"qwq-gguf eval thinking, {', '.join(map(str, suites))}",
    )
