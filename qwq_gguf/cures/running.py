"""How a runtime runs a model as it stands, before anything is cured. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LLAMA_CPP_ORDER", "Running", "number_of"]

# What llama.cpp applies when neither a flag nor the file says otherwise (common/common.h).
LLAMA_CPP_ORDER = (
    *("penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc"),
    "temperature",
)


@dataclass(frozen=True, slots=True)
class Running:
    """How one runtime runs one model.

    `values` are the numbers that act, by our names for settings; `said` names those that
    somebody set, the others are the runtime's own. `context` is in tokens; None leaves it to
    the runtime, which takes at least `context_least`, as `context_default` says in words. `bound`
    is the most tokens of a reply, None for as many as it likes, `budget` the most of a thought.
    `order` are the stages in their order. `sees_thoughts`: thought and answer come apart;
    `opens_thought`: the prompt opens the thought where the model's own template does. `doubts`
    are words about what another version of the runtime does.
    """

    runtime: str
    values: Mapping[str, float]
    said: frozenset[str] = frozenset()
    context: int | None = None
    context_least: int = 0
    context_default: str = ""
    bound: int | None = None
    budget: int | None = None
    order: tuple[str, ...] = LLAMA_CPP_ORDER
    sees_thoughts: bool = True
    opens_thought: bool = True
    doubts: Mapping[str, str] = field(default_factory=dict)


def number_of(value: Any) -> float | int | None:
    """A finite number out of somebody's JSON; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(value, int):
        return value if abs(value) < 1 << 53 else None
    return value if math.isfinite(value) else None
