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
    """What was timed, with so many `threads`. Seconds for a byte of `weights` by type, in a cache
    and in long rows, for one of them in `short` rows, and where it comes out of main memory
    (`main`, of a type or two); `lengths` are how many numbers the rows have, the long ones and the
    short ones. For a number of a query and each token that it attends to, by size of heads and
    type of cache (`attention`); for a `layer` whatever its weights.

    All as it was seen, so that the lower of two can be taken: differences of times that others
    disturbed are worth nothing. `alone` is what one thread takes for models so small that no other
    helps, with weights that are in a cache and in rows as such models have them.
    """

    threads: int
    layer: float
    main: Mapping[GgmlType, float]
    weights: Mapping[GgmlType, float]
    attention: Mapping[int, Mapping[GgmlType, float]]
    short: Mapping[GgmlType, float]
    lengths: tuple[float, float]
    alone: Pace | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Pace | None:
        """From its JSON form; None if that is not one."""
        layer, threads = seconds(told.get("layer")), told.get("threads")
        weights, heads = seconds_by_type(told.get("weights")), told.get("attention")
        short, main = seconds_by_type(told.get("short")), seconds_by_type(told.get("main"))
        lengths = told.get("lengths")
        attention = {
            int(size): by_type
            for size, each in (heads.items() if isinstance(heads, Mapping) else ())
            if _SIZE.fullmatch(size) and (by_type := seconds_by_type(each))
        }
        if layer is None or not weights or not attention or not main.keys() <= weights.keys():
            return None
        if not isinstance(lengths, list) or len(lengths) != 2 or not short.keys() <= weights.keys():
            return None
        long_row, short_row = map(seconds, lengths)
        if long_row is None or short_row is None or not 0 < short_row < long_row:
            return None
        if not isinstance(threads, int) or not 1 <= threads <= _MOST_THREADS:
            return None
        one = told.get("alone")
        alone = cls.of({**one, "alone": None}) if isinstance(one, Mapping) else None
        return cls(threads, layer, main, weights, attention, short, (long_row, short_row), alone)

    def to_json(self) -> dict[str, Any]:
        """With the names of types."""
        alone = {} if self.alone is None else {"alone": self.alone.to_json()}
        return alone | {
            "threads": self.threads,
            "layer": self.layer,
            "main": by_name(self.main),
            "weights": by_name(self.weights),
            "attention": {str(size): by_name(each) for size, each in self.attention.items()},
            "short": by_name(self.short),
            "lengths": list(self.lengths),
        }

    def best(self, other: Pace) -> Pace:
        """The lower of each: other programs can only add to what was measured."""
        heads = {**self.attention, **other.attention}
        one, two = self.alone, other.alone
        return Pace(
            self.threads,
            min(self.layer, other.layer),
            lower(self.main, other.main),
            lower(self.weights, other.weights),
            {
                size: lower(self.attention.get(size, {}), other.attention.get(size, {}))
                for size in heads
            },
            lower(self.short, other.short),
            self.lengths,
            one.best(two) if one and two else one or two,
        )

    @property
    def far(self) -> float:
        """Seconds that a byte takes longer where it is in no cache."""
        return max((max(0.0, it - self.weights[kind]) for kind, it in self.main.items()), default=0)

    def byte(self, kind: GgmlType) -> float:
        """Seconds for a byte of weights, besides what their rows take; of a type that was not
        measured, as of the slowest.
        """
        if kind not in self.weights:
            return max(map(self.byte, self.weights))
        each = self.row(kind) / self.lengths[0] * kind.block_size / kind.type_size
        return max(0.0, self.weights[kind] - each)

    def row(self, kind: GgmlType) -> float:
        """Seconds for a row of weights, however short it is."""
        if kind not in self.weights:
            return max(map(self.row, self.weights))
        more = self.short.get(kind, 0.0) - self.weights[kind]
        long_row, short_row = self.lengths
        nbytes = kind.type_size / kind.block_size
        # No more than all of it: numbers that others disturbed may say anything.
        most = self.weights[kind] * long_row * nbytes
        return min(most, max(0.0, more * nbytes / (1 / short_row - 1 / long_row)))

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
