"""Perplexity, divergence and agreement over the places of a text. Pure.

Each as llama-perplexity computes it, with its uncertainty: the standard error of a mean, and of
what follows from means (tools/perplexity/perplexity.cpp, kl_divergence).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qwq_gguf.evaluation.quality.log_probs import Places

__all__ = ["Estimate", "Figures", "Perplexity", "figures", "gathered", "perplexity"]

_FEW = 10  # places, up to which there is no telling how uncertain they are
_SHARES = (0.1, 1, 5, 10, 50, 90, 95, 99, 99.9)

Values = NDArray[np.float32]


class Estimate(NamedTuple):
    """A figure and its standard error."""

    value: float
    error: float

    def to_json(self) -> dict[str, float]:
        """Both, to nine digits."""
        return {"value": _short(self.value), "error": _short(self.error)}


class Perplexity(NamedTuple):
    """The perplexity over so many places."""

    places: int
    value: Estimate


@dataclass(frozen=True, slots=True)
class Figures:
    """A quant beside its reference.

    `log_ratio` is ln(perplexity / reference's), `kld` the mean divergence in nats, `percentiles`
    those of the divergence, `p_diff_rms` the root mean square of how much the probability of the
    token that came has changed, `same_top` the share of places where both would pick one token.
    """

    places: int
    perplexity: Estimate
    reference: Estimate
    correlation: float
    log_ratio: Estimate
    kld: Estimate
    lowest: float
    highest: float
    percentiles: dict[float, float]
    p_diff: Estimate
    p_diff_rms: Estimate
    same_top: Estimate

    @property
    def median(self) -> float:
        """The median divergence."""
        return self.percentiles[50]

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object; probabilities and shares are 0 to 1."""
        return {
            "places": self.places,
            "perplexity": self.perplexity.to_json(),
            "reference_perplexity": self.reference.to_json(),
            "correlation": _short(self.correlation),
            "log_perplexity_ratio": self.log_ratio.to_json(),
            "kl_divergence": {
                "mean": self.kld.to_json(),
                "min": _short(self.lowest),
                **{f"p{share:g}": _short(value) for share, value in self.percentiles.items()},
                "max": _short(self.highest),
            },
            "probability_difference": {
                "mean": self.p_diff.to_json(),
                "rms": self.p_diff_rms.to_json(),
            },
            "same_top": self.same_top.to_json(),
        }


def gathered(parts: Sequence[Places]) -> Places:
    """The places of several parts as one; of none, none."""
    if not parts:
        none = np.zeros(0, np.float32)
        top = np.zeros(0, np.int32)
        return Places(none, none, none, none, top, top)
    return Places(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def perplexity(nll: Values) -> Perplexity:
    """Of these -log p, of which there is at least one."""
    return Perplexity(len(nll), _perplexity(_mean(nll)))


def figures(places: Places) -> Figures:
    """Of these places, of which there is at least one."""
    nll, base = _mean(places.nll), _mean(places.base_nll)
    count = len(places.nll)
    shared = _covariance(places.nll, places.base_nll)
    both = nll.error * base.error
    squares = _mean(np.square(places.p_diff.astype(np.float64)))
    rms = math.sqrt(squares.value)
    same = float(np.mean(places.top == places.base_top))
    kld = places.kld.astype(np.float64)
    return Figures(
        places=count,
        perplexity=_perplexity(nll),
        reference=_perplexity(base),
        correlation=shared / both if both else 0.0,
        log_ratio=Estimate(
            nll.value - base.value,
            math.sqrt(max(0.0, nll.error**2 + base.error**2 - 2 * shared)),
        ),
        kld=_mean(kld),
        lowest=float(kld.min()),
        highest=float(kld.max()),
        percentiles=dict(zip(_SHARES, map(float, np.percentile(kld, list(_SHARES))), strict=True)),
        p_diff=_mean(places.p_diff),
        p_diff_rms=Estimate(rms, 0.5 / rms * squares.error if rms else 0.0),
        same_top=Estimate(same, math.sqrt(same * (1 - same) / max(1, count - 1))),
    )


def _perplexity(mean: Estimate) -> Estimate:
    value = math.exp(min(mean.value, 700.0))
    return Estimate(value, value * mean.error)


def _mean(values: NDArray[Any]) -> Estimate:
    exact = values.astype(np.float64)
    mean, count = float(exact.mean()), len(exact)
    spread = float(np.mean(np.square(exact - mean)))
    return Estimate(mean, math.sqrt(spread / (count - 1)) if count > _FEW else 0.0)


def _covariance(one: Values, other: Values) -> float:
    count = len(one)
    if count < _FEW:
        return 0.0
    first, second = one.astype(np.float64), other.astype(np.float64)
    return float(np.mean((first - first.mean()) * (second - second.mean()))) / (count - 1)


def _short(value: float) -> float:
    return float(f"{value:.9g}")
