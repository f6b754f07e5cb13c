"""How fast a processor computes with weights in main memory. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwq_gguf.ggml_types import GgmlType

__all__ = ["Pace", "by_name", "lower", "seconds", "seconds_by_type"]

_MOST_THREADS = 512  # GGML_MAX_N_THREADS


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds for a byte of `weights` by type, and `far` more where it is in no cache; for a
    number of a query and each token that it attends to, by size of heads and type of cache
    (`attention`); for a `layer` whatever its weights. So many `threads` computed.
    """

    threads: int
    layer: float
    far: float
    weights: Mapping[GgmlType, float]
    attention: Mapping[int, Mapping[GgmlType, float]]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Pace | None:
        """From its JSON form; None if that is not one."""
        layer, far = seconds(told.get("layer")), seconds(told.get("far"))
        threads = told.get("threads")
        weights, heads = seconds_by_type(told.get("weights")), told.get("attention")
        attention = {
            int(size): by_type
            for size, each in (heads.items() if isinstance(heads, Mapping) else ())
            if _SIZE.fullmatch(size) and (by_type := seconds_by_type(each))
        }
        if layer is None or far is None or not weights or not attention:
            return None
        if not isinstance(threads, int) or not 1 <= threads <= _MOST_THREADS:
            return None
        return cls(threads, layer, far, weights, attention)

    def to_json(self) -> dict[str, Any]:
        """With the names of types."""
        return {
            "threads": self.threads,
            "layer": self.layer,
            "far": self.far,
            "weights": by_name(self.weights),
            "attention": {str(size): by_name(each) for size, each in self.attention.items()},
        }

    def best(self, other: Pace) -> Pace:
        """The lower of each: other programs can only add to what was measured."""
        heads = {**self.attention, **other.attention}
        return Pace(
            self.threads,
            min(self.layer, other.layer),
            min(self.far, other.far),
            lower(self.weights, other.weights),
            {
                size: lower(self.attention.get(size, {}), other.attention.get(size, {}))
                for size in heads
            },
        )

    def byte(self, kind: GgmlType) -> float:
        """Seconds for a byte of weights; of a type that was not measured, as of the slowest."""
        return self.weights.get(kind, max(self.weights.values()))

    def query(self, kind: GgmlType, head: int) -> float:
        """Seconds for a number of a query and each token in a cache of this type, in heads of so
        many numbers: as in those of the size that is nearest of the measured ones.
        """
        nearest = min(self.attention, key=lambda size: abs(math.log(size / max(1, head))))
        known = self.attention[nearest]
        return known.get(kind, max(known.values()))


_SIZE = re.compile(r"[1-9]\d{0,4}")


def seconds(value: object) -> float | None:
    """A time out of JSON; None for what is none."""
    good = isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
    return float(value) if good and isinstance(value, (int, float)) else None


def seconds_by_type(value: object) -> dict[GgmlType, float]:
    """Times by the names of types, without what is none."""
    if not isinstance(value, Mapping):
        return {}
    read = {GgmlType[name]: seconds(it) for name, it in value.items() if name in _NAMES}
    return {kind: it for kind, it in read.items() if it is not None}


def by_name(values: Mapping[GgmlType, float]) -> dict[str, float]:
    """The same with the names of types."""
    return {kind.name: value for kind, value in values.items()}


_NAMES = frozenset(kind.name for kind in GgmlType)


def lower(one: Mapping[GgmlType, float], two: Mapping[GgmlType, float]) -> dict[GgmlType, float]:
    """The lower of each."""
    return {
        kind: min(value for each in (one, two) if (value := each.get(kind)) is not None)
        for kind in {**one, **two}
    }
