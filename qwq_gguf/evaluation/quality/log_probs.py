"""Log-probabilities as llama-perplexity keeps them, 16 bits each (tools/perplexity/perplexity.cpp).

A row is two float32, scale and lowest log-probability, and then a code for each token:
log p = scale * code + lowest. What is more than 16 below the best token counts as 16 below it. A
row has an even number of codes, one more than there are tokens where that is odd.

Sums are formed as there: numbers in float32, their sums in float64. So figures agree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DEPTH",
    "Codes",
    "Logits",
    "Places",
    "chosen_places",
    "code_words",
    "compare",
    "decode",
    "encode",
    "unlikelihoods",
]

_HEAD = 4  # words of scale and lowest
DEPTH = np.float32(16)
_CODES = np.float32(65535)

Logits = NDArray[np.float32]
Codes = NDArray[np.uint16]


class Places(NamedTuple):
    """What is known of some places of a text, an array each.

    `nll` and `base_nll` are -log p of the token that came, `kld` is the divergence of what was
    foretold, `p_diff` how much more probable the token was than to the reference. `top` and
    `base_top` are the tokens that each would have picked.
    """

    nll: NDArray[np.float32]
    base_nll: NDArray[np.float32]
    kld: NDArray[np.float32]
    p_diff: NDArray[np.float32]
    top: NDArray[np.int32]
    base_top: NDArray[np.int32]


def chosen_places(places: Places, chosen: NDArray[np.bool_]) -> Places:
    """Some of them."""
    nll, base_nll, kld, p_diff, top, base_top = places
    return Places(
        nll[chosen], base_nll[chosen], kld[chosen], p_diff[chosen], top[chosen], base_top[chosen]
    )


def code_words(vocabulary: int) -> int:
    """16-bit words of a row."""
    return 2 * ((vocabulary + 1) // 2) + _HEAD


def unlikelihoods(logits: Logits, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
    """-log p of these tokens, one a row."""
    return _total(logits) - logits[np.arange(len(logits)), tokens]


def _total(logits: Logits) -> NDArray[np.float32]:
    """The logarithm of the sum of their exponentials, of each row."""
    best = logits.max(axis=1)
    sums = np.exp(logits - best[:, None]).sum(axis=1, dtype=np.float64)
    total: NDArray[np.float32] = best + np.log(sums).astype(np.float32)
    return total


def encode(logits: Logits) -> Codes:
    """Logits [rows, vocabulary] as rows of codes."""
    rows, vocabulary = logits.shape
    best = logits.max(axis=1)
    lowest = np.maximum(logits.min(axis=1), best - DEPTH)
    sums = np.exp(logits - best[:, None]).sum(axis=1, dtype=np.float64)
    scale = (best - lowest) / _CODES
    out = np.zeros((rows, code_words(vocabulary)), np.uint16)
    head = out[:, :_HEAD].view(np.float32)
    head[:, 0] = scale
    head[:, 1] = lowest - best - np.log(sums).astype(np.float32)
    with np.errstate(divide="ignore"):
        steps = np.where(scale > 0, np.float32(1) / scale, np.float32(0))
    above = np.maximum(logits - lowest[:, None], np.float32(0))
    out[:, _HEAD : _HEAD + vocabulary] = np.rint(above * steps[:, None])
    return out


def decode(codes: Codes, vocabulary: int) -> Logits:
    """The log-probabilities [rows, vocabulary] of rows of codes."""
    head = np.ascontiguousarray(codes[:, :_HEAD]).view(np.float32)
    values = codes[:, _HEAD : _HEAD + vocabulary].astype(np.float32)
    values *= head[:, :1]
    values += head[:, 1:]
    return values


def compare(codes: Codes, logits: Logits, tokens: NDArray[np.int64]) -> Places:
    """A quant's logits beside the reference's codes, where these tokens came."""
    rows, vocabulary = logits.shape
    base = decode(codes, vocabulary)
    every = np.arange(rows)
    total = _total(logits)
    nll = total - logits[every, tokens]
    base_nll = -base[every, tokens]
    apart = base - logits
    apart += total[:, None]
    weights = np.exp(base)
    weights[base <= -DEPTH] = 0
    apart *= weights
    return Places(
        nll=nll,
        base_nll=base_nll,
        kld=apart.sum(axis=1, dtype=np.float64).astype(np.float32),
        p_diff=np.exp(-nll) - np.exp(-base_nll),
        top=logits.argmax(axis=1).astype(np.int32),
        base_top=base.argmax(axis=1).astype(np.int32),
    )
