"""What a sampler chain sees and leaves at one position, in single precision as llama.cpp has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Candidates",
    "Distribution",
    "Situation",
    "added",
    "descending",
    "distribution_of",
    "f32",
]

Floats: TypeAlias = npt.NDArray[np.float32]
Ids: TypeAlias = npt.NDArray[np.int64]
f32 = np.float32


@dataclass(frozen=True, slots=True)
class Situation:
    """What a chain sees besides the logits.

    `prompt` and `generated` are token ids. `xtc_fires` decides xtc's draw; None weighs
    both outcomes by its probability. `dry_breakers` maps a token to the continuations
    that complete a sequence breaker begun by it (`qwq_gguf.sampling.dry`). A grammar needs
    `pieces`, the bytes of each token, and `ends`, the tokens that end a text; `bound` are
    the tokens that it has read so far, None while it does not act.
    """

    prompt: Sequence[int] = ()
    generated: Sequence[int] = ()
    xtc_fires: bool | None = None
    dry_breakers: Mapping[int, Sequence[tuple[int, ...]]] | None = None
    pieces: Sequence[bytes] = ()
    ends: Collection[int] = ()
    bound: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Distribution:
    """Tokens a chain can pick, most probable first; `probabilities` sum to 1."""

    ids: Ids
    probabilities: npt.NDArray[np.float64]

    def as_dict(self) -> dict[int, float]:
        """Probability by token id."""
        return dict(zip(self.ids.tolist(), self.probabilities.tolist(), strict=True))


@dataclass(slots=True)
class Candidates:
    """The tokens still in the running; `ordered` says their logits descend."""

    ids: Ids
    logits: Floats
    ordered: bool = False

    def keep(self, chosen: Any) -> None:
        """Leave these in the running: a mask, a slice or places."""
        self.ids, self.logits = self.ids[chosen], self.logits[chosen]

    def order(self) -> None:
        """Let the logits descend; equal ones stay as they stand."""
        if not self.ordered:
            self.keep(np.argsort(-self.logits, kind="stable"))
            self.ordered = True

    def probabilities(self) -> Floats:
        """By softmax, in single precision."""
        weights: Floats = np.exp(self.logits - self.logits.max())
        weights /= added(weights)
        return weights


def distribution_of(candidates: Candidates) -> Distribution:
    """What they can be picked as now."""
    weights = np.exp((candidates.logits - candidates.logits.max()).astype(np.float64))
    present = weights > 0
    weights = weights[present] / weights[present].sum()
    return descending(candidates.ids[present], weights)


def descending(ids: Ids, probabilities: npt.NDArray[np.float64]) -> Distribution:
    """The same with the most probable first, of equal ones the lower id."""
    order = np.lexsort((ids, -probabilities))
    return Distribution(ids[order], probabilities[order])


def added(values: Floats) -> np.float32:
    """Added one after the other, as C++ does; numpy's sum adds in pairs and rounds otherwise."""
    return f32(np.cumsum(values, dtype=f32)[-1])
