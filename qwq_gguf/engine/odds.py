"""How likely a model found a token, and the likeliest: by its own logits, before any chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Odds", "odds_of"]


class Odds(NamedTuple):
    """The natural logarithm of a token's probability, and the likeliest tokens with theirs."""

    logprob: float
    best: tuple[tuple[int, float], ...]


def odds_of(logits: npt.NDArray[np.float32], token: int, most: int) -> Odds:
    """Of a token among all logits, shape (n_vocab,), with `most` of the likeliest, best first.

    Of two that are equally likely the first one of the vocabulary comes first. A token that the
    model makes impossible has minus infinity.
    """
    top = logits.max()
    total = float(top) + float(np.log(np.exp(logits - top).sum(dtype=np.float64)))
    best: tuple[tuple[int, float], ...] = ()
    if most:
        # All that are as likely as the last that counts, so that equals come in their order.
        least = np.partition(logits, -most)[-most] if most < logits.size else logits.min()
        ids = np.flatnonzero(logits >= least)
        order = ids[np.argsort(-logits[ids], kind="stable")][:most]
        best = tuple((int(each), float(logits[each]) - total) for each in order)
    return Odds(float(logits[token]) - total, best)
