"""The search for a scale and a minimum: what Q2_K, Q4_K, Q5_K, Q4_1 and Q5_1 have in common.

A weight x becomes a level l from 0 to `most`, and scale * l + minimum stands for x. Steps
through slightly different scales give levels; a weighted least-squares fit to each gives
scale and minimum, and the best pair is kept. Every lane is a sub-block of its own.

Facts from ggml's make_qkx2_quants and make_qkx3_quants (llama.cpp, ggml/src/ggml-quants.c),
which differ only in how they tell that all weights are the same. The next step's scale and
rounding start from the minimum found so far, not from the least weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qwq_gguf.quantization.kernels.jit import compiled
from qwq_gguf.quantization.kernels.numbers import absolute, larger, level, negated, smaller
from qwq_gguf.quantization.kernels.vector import any_of, bits_of, pick, to_even, vector

__all__ = ["search_affine"]

_ROUNDED_ALIKE = 0x4A000000  # the bits of 2.0**21


@compiled
def _error(difference: Any, by_magnitude: bool) -> Any:
    if by_magnitude:
        return absolute(difference)
    return difference * difference


@compiled
def _sums(
    x: Any, weights: Any, levels: Any, size: int, inverse: Any, minimum: Any, most: int, wild: bool
) -> tuple[Any, Any, Any]:
    """Fill `levels`; their weighted sums: of them, of their squares, with the weights.

    `wild` numbers are rounded by ggml's trick, whose result is peculiar beyond 2**22, or for
    NaN. Of all others, bounding before rounding gives the same with half the instructions.
    """
    sum_l = vector(np.float32(0))
    sum_l2 = vector(np.float32(0))
    sum_xl = vector(np.float32(0))
    for i in range(size):
        scaled = inverse * (x[i] - minimum)
        if wild:
            code = level(scaled, 0, most)
        else:
            code = to_even(larger(smaller(scaled, np.float32(most)), np.float32(0)))
        levels[i] = code
        weighted = weights[i] * code
        sum_l = sum_l + weighted
        sum_l2 = sum_l2 + weighted * code
        sum_xl = sum_xl + weighted * x[i]
    return sum_l, sum_l2, sum_xl


@compiled
def search_affine(
    x: Any,
    weights: Any,
    levels: Any,
    size: int,
    most: int,
    first: float,
    delta: float,
    steps: int,
    by_magnitude: bool,
) -> tuple[Any, Any, Any, Any]:
    """(scale, minimum, inverse, base) of each lane; the minimum is given as ggml keeps it: >= 0.

    x, weights: rows of `size` vectors. levels: room for as many. A weight's level is the
    nearest integer to inverse * (x - base), from 0 to `most`; where inverse is 0, level 0.
    """
    low = x[0]
    high = x[0]
    sum_w = weights[0]
    sum_x = sum_w * x[0]
    for i in range(1, size):
        low = pick(x[i] < low, x[i], low)
        high = pick(x[i] > high, x[i], high)
        sum_w = sum_w + weights[i]
        sum_x = sum_x + weights[i] * x[i]
    low = pick(low > 0.0, 0.0, low)
    flat = high <= low
    inverse = np.float32(most) / (high - low)
    scale = np.float32(1) / inverse
    minimum = low
    base = low
    best = vector(np.float32(0))
    for i in range(size):
        code = level(inverse * (x[i] - low), 0, most)
        best = best + weights[i] * _error(scale * code + low - x[i], by_magnitude)
    for step in range(steps + 1):
        candidate = (
            np.float32(first) + np.float32(delta) * np.float32(step) + np.float32(most)
        ) / (high - minimum)
        widest = candidate * larger(absolute(high - minimum), absolute(low - minimum))
        if any_of((bits_of(absolute(widest)) > _ROUNDED_ALIKE) & (high > low)):
            sums = _sums(x, weights, levels, size, candidate, minimum, most, True)
        else:
            sums = _sums(x, weights, levels, size, candidate, minimum, most, False)
        sum_l, sum_l2, sum_xl = sums
        determinant = sum_w * sum_l2 - sum_l * sum_l
        this_scale = (sum_w * sum_xl - sum_x * sum_l) / determinant
        this_minimum = (sum_l2 * sum_x - sum_l * sum_xl) / determinant
        positive = this_minimum > 0.0
        if any_of(positive):  # seldom, and a division
            this_minimum = pick(positive, 0.0, this_minimum)
            this_scale = pick(positive, sum_xl / sum_l2, this_scale)
        error = vector(np.float32(0))
        for i in range(size):
            difference = this_scale * levels[i] + this_minimum - x[i]
            error = error + weights[i] * _error(difference, by_magnitude)
        better = (determinant > 0.0) & (error < best)
        if any_of(better):
            best = pick(better, error, best)
            inverse = pick(better, candidate, inverse)
            base = pick(better, minimum, base)
            scale = pick(better, this_scale, scale)
            minimum = pick(better, this_minimum, minimum)
    scale = pick(flat, 0.0, scale)
    inverse = pick(flat, 0.0, inverse)
    minimum = pick(flat, low, minimum)
    base = pick(flat, low, base)
    return scale, negated(minimum), inverse, base
