"""What several chains make of the same logits, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qwq_gguf.sampling.chain import SamplerChain
from qwq_gguf.sampling.reference import Distribution, Situation, apply_chain
from qwq_gguf.sampling.stages import Dist

__all__ = ["Comparison", "ComparisonRow", "compare_chains"]


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One token: the model's own probability, and what each chain makes of it.

    0.0 where a chain drops the token.
    """

    token: int
    model: float
    chains: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Rows for every token any chain keeps, by the model's probability.

    `kept` counts the tokens each chain leaves, `mass` is what the model gave to them, and
    `entropy` is what remains undecided, in bits.
    """

    rows: tuple[ComparisonRow, ...]
    kept: Mapping[str, int]
    mass: Mapping[str, float]
    entropy: Mapping[str, float]


def compare_chains(
    chains: Mapping[str, SamplerChain],
    logits: npt.ArrayLike,
    situation: Situation | None = None,
) -> Comparison:
    """Compare chains by name at one position; raises ChainError as `apply_chain` does."""
    model = apply_chain(SamplerChain((Dist(),)), logits).as_dict()
    results = {name: apply_chain(chain, logits, situation) for name, chain in chains.items()}
    by_token = {name: result.as_dict() for name, result in results.items()}
    tokens = sorted(
        {token for kept in by_token.values() for token in kept},
        key=lambda token: (-model.get(token, 0.0), token),
    )
    rows = tuple(
        ComparisonRow(
            token,
            model.get(token, 0.0),
            {name: kept.get(token, 0.0) for name, kept in by_token.items()},
        )
        for token in tokens
    )
    return Comparison(
        rows,
        {name: len(kept) for name, kept in by_token.items()},
        {name: sum(model.get(token, 0.0) for token in kept) for name, kept in by_token.items()},
        {name: _entropy(result) for name, result in results.items()},
    )


def _entropy(result: Distribution) -> float:
    p = result.probabilities[result.probabilities > 0]
    return float(-(p * np.log2(p)).sum()) + 0.0
