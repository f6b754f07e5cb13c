"""The tokens that a chain's first cut may keep, out of all logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from qwq_gguf.sampling.shortlist import Shortlist

__all__ = ["likely"]

_GROUP, _LEAST_GROUP = 64, 8  # logits of which the largest is taken
# What a division may round: two logits closer than this are as good as equal.
_ROUNDING = 1e-5
_MOST_PART = 8  # more than one in so many are no short list
_FAINT = np.float32(1e-6)  # of the likeliest token: what all fainter ones have together is little


def likely(logits: npt.NDArray[np.float32], wanted: Shortlist) -> npt.NDArray[np.int32] | None:
    """Their ids, in order, with those that are as good as equal to the last one; None where they
    would be too many to be worth it, or might not do for all.
    """
    if wanted.mass is not None:
        return _nucleus(logits, wanted.mass, wanted.scale)
    if wanted.within is not None:
        least = float(logits.max()) - wanted.within
    else:
        assert wanted.best is not None
        least = _least_of_best(logits, wanted.best)
    least -= _ROUNDING * max(1.0, abs(least))
    # Comparing with a number that is none finds none; with minus infinity, all.
    found = np.flatnonzero(logits >= np.float32(least))
    if not 0 < found.size <= logits.size // _MOST_PART:
        return None
    return found.astype(np.int32)


def _nucleus(
    logits: npt.NDArray[np.float32], mass: float, scale: float
) -> npt.NDArray[np.int32] | None:
    """Tokens of which top_p keeps what it keeps of all; None where it might keep others.

    It has to know the mass of all tokens, and will be shown these only. So where it ends is
    found here by the one and by the other, and both have to say the same, by more than rounding.
    """
    best = logits.max()
    if not np.isfinite(best):
        return None
    parts = (logits - best) * np.float32(1 / scale)
    np.exp(parts, out=parts)
    found = np.flatnonzero(parts >= _FAINT)
    if found.size > logits.size // _MOST_PART:
        return None
    reached = np.cumsum(np.sort(parts[found])[::-1], dtype=np.float64)
    ends = set()
    for whole in (float(parts.sum(dtype=np.float64)), float(reached[-1])):
        least, most = (mass * whole + sign * _ROUNDING * whole for sign in (-1, 1))
        ends |= {int(np.searchsorted(reached, least)), int(np.searchsorted(reached, most))}
    if len(ends) > 1 or ends == {found.size}:
        return None
    return found.astype(np.int32)


def _least_of_best(logits: npt.NDArray[np.float32], best: int) -> float:
    """A number that at least `best` of them reach, and few others: as many groups have one."""
    if best == 1:
        return float(logits.max())
    size = max(_LEAST_GROUP, min(_GROUP, logits.size // (_MOST_PART * best)))
    groups = logits.size // size
    if best > groups:
        return -np.inf
    # Every so-many-th one: whole rows are compared at once, which is what processors do fast.
    largest = logits[: groups * size].reshape(size, groups).max(axis=0)
    return float(np.partition(largest, groups - best)[groups - best])
