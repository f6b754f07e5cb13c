"""How fast this computer's cards were seen to compute. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.machine.pace import by_name, lower, seconds, seconds_by_type

__all__ = ["CardPace"]


@dataclass(frozen=True, slots=True)
class CardPace:
    """Seconds for a `token` whatever the model, for an `entry` of its vocabulary, for a `layer`
    whatever its weights, by type of cache; for a byte of `weights` by their type, and for a byte
    of `cache` that is attended to by its type.
    """

    token: float
    entry: float
    layer: Mapping[GgmlType, float]
    weights: Mapping[GgmlType, float]
    cache: Mapping[GgmlType, float]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> CardPace | None:
        """From its JSON form; None if that is not one."""
        token, entry = seconds(told.get("token")), seconds(told.get("entry"))
        layer, weights, cache = (
            seconds_by_type(told.get(name)) for name in ("layer", "weights", "cache")
        )
        if token is None or entry is None or not layer or not weights or not cache:
            return None
        return cls(token, entry, layer, weights, cache)

    def to_json(self) -> dict[str, Any]:
        """With the names of types."""
        return {
            "token": self.token,
            "entry": self.entry,
            "layer": by_name(self.layer),
            "weights": by_name(self.weights),
            "cache": by_name(self.cache),
        }

    def best(self, other: CardPace) -> CardPace:
        """The lower of each: other programs can only add to what was measured."""
        return CardPace(
            min(self.token, other.token),
            min(self.entry, other.entry),
            lower(self.layer, other.layer),
            lower(self.weights, other.weights),
            lower(self.cache, other.cache),
        )

    def time(
        self,
        *,
        layers: int,
        nbytes: float,
        kinds: tuple[tuple[GgmlType, float], ...],
        kept: float,
        cache: GgmlType,
        vocabulary: int,
    ) -> float:
        """Seconds for a token of a model with so many `layers` and `nbytes` of weights of these
        `kinds` on the cards, that attends to `kept` bytes of cache; `vocabulary` is 0 where its
        logits come from elsewhere.
        """
        a_byte = sum(part * _of(self.weights, kind) for kind, part in kinds)
        return (
            self.token
            + vocabulary * self.entry
            + layers * _of(self.layer, cache)
            + nbytes * a_byte
            + kept * _of(self.cache, cache)
        )


def _of(known: Mapping[GgmlType, float], kind: GgmlType) -> float:
    """Of a type that was not measured, as of the slowest."""
    return known.get(kind, max(known.values()))
