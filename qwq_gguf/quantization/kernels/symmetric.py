"""Searches for a scale alone: what Q3_K, Q6_K, Q4_0, Q5_0 and the scales of scales use.

A number x becomes a level l, and scale * l stands for it. Every lane works by itself.

Facts from ggml's make_qx_quants, make_q3_quants and make_qp_quants (llama.cpp,
ggml/src/ggml-quants.c). Where those stop once a sweep changes nothing, a lane may go on
here: a sweep that changed nothing changes nothing again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qwq_gguf.quantization.kernels.jit import compiled
from qwq_gguf.quantization.kernels.numbers import absolute, larger, level, nearest, smaller
from qwq_gguf.quantization.kernels.vector import any_of, floats_of, pick, to_even, vector

__all__ = ["refine_positive", "refine_signed", "search_symmetric"]

_TINY = 1e-15


@compiled
def _peak(x: Any, size: int) -> tuple[Any, Any]:
    """The number of largest magnitude, of equals the first, and its magnitude."""
    peak = vector(np.float32(0))
    magnitude = vector(np.float32(0))
    for i in range(size):
        here = absolute(x[i])
        peak = pick(here > magnitude, x[i], peak)
        magnitude = pick(here > magnitude, here, magnitude)
    return peak, magnitude


@compiled
def _level(value: Any, most: int) -> Any:
    """The nearest integers from -most to most - 1, as floats, of numbers below 2**21.

    Bounded before they are rounded: two instructions for ggml's six.
    """
    return to_even(larger(smaller(value, np.float32(most - 1)), np.float32(-most)))


@compiled
def search_symmetric(x: Any, weights: Any, size: int, most: int) -> tuple[Any, Any, Any]:
    """(scale, inverse, tiny) of each lane; levels go from -most to most - 1.

    A number's level is the nearest integer to inverse * x; where `tiny` holds all are so
    small that ggml takes the lowest level, with scale 0. Elsewhere no product exceeds
    most + 1 by more than rounding.
    """
    peak, magnitude = _peak(x, size)
    inverse = np.float32(-most) / peak
    sum_lx = vector(np.float32(0))
    sum_l2 = vector(np.float32(0))
    for i in range(size):
        code = _level(inverse * x[i], most)
        sum_lx = sum_lx + weights[i] * x[i] * code
        sum_l2 = sum_l2 + weights[i] * code * code
    scale = pick(sum_l2 != 0.0, sum_lx / sum_l2, 0.0)
    best = scale * sum_lx
    for step in range(-9, 10):
        if step == 0:
            continue
        candidate = -(np.float32(most) + np.float32(0.1) * np.float32(step)) / peak
        sum_lx = vector(np.float32(0))
        sum_l2 = vector(np.float32(0))
        for i in range(size):
            code = _level(candidate * x[i], most)
            sum_lx = sum_lx + weights[i] * x[i] * code
            sum_l2 = sum_l2 + weights[i] * code * code
        better = (sum_l2 > 0.0) & (sum_lx * sum_lx > best * sum_l2)
        this_scale = sum_lx / sum_l2
        inverse = pick(better, candidate, inverse)
        scale = pick(better, this_scale, scale)
        best = pick(better, this_scale * sum_lx, best)
    tiny = magnitude < _TINY
    return pick(tiny, 0.0, scale), inverse, tiny


@compiled
def refine_signed(x: Any, levels: Any, size: int, most: int) -> Any:
    """The scale of each lane for Q3_K; `levels` gets the levels, from -most to most - 1.

    Weights are squares; one level after the other is moved to where it fits best.
    """
    peak, magnitude = _peak(x, size)
    inverse = np.float32(-most) / peak
    sum_lx = vector(np.float32(0))
    sum_l2 = vector(np.float32(0))
    for i in range(size):
        code = level(inverse * x[i], -most, most - 1)
        levels[i] = code
        weight = x[i] * x[i]
        sum_lx = sum_lx + weight * x[i] * code
        sum_l2 = sum_l2 + weight * code * code
    for _ in range(5):
        changed = magnitude < 0.0
        for i in range(size):
            old = levels[i]
            weight = x[i] * x[i]
            rest_lx = sum_lx - weight * x[i] * old
            rest_l2 = sum_l2 - weight * old * old
            new = level(x[i] * rest_l2 / rest_lx, -most, most - 1)
            new_lx = rest_lx + weight * x[i] * new
            new_l2 = rest_l2 + weight * new * new
            better = (
                (rest_lx > 0.0)
                & (new != old)
                & (new_l2 > 0.0)
                & (new_lx * new_lx * sum_l2 > sum_lx * sum_lx * new_l2)
            )
            levels[i] = pick(better, new, old)
            sum_lx = pick(better, new_lx, sum_lx)
            sum_l2 = pick(better, new_l2, sum_l2)
            changed = changed | better
        if not any_of(changed):
            break
    tiny = magnitude < _TINY
    if any_of(tiny):
        for i in range(size):
            levels[i] = pick(tiny, np.float32(-most), levels[i])
    return pick(tiny, 0.0, pick(sum_l2 > 0.0, sum_lx / sum_l2, 0.0))


@compiled
def refine_positive(x: Any, weights: Any, levels: Any, size: int, most: int) -> Any:
    """The scale of each lane for the scales of sub-blocks; `levels` gets bytes from 0 to most.

    A negative number's level is below 0, which ggml keeps in an unsigned byte.
    """
    top = vector(np.float32(0))
    for i in range(size):
        top = larger(top, x[i])
    inverse = np.float32(most) / top
    scale = np.float32(1) / inverse
    best = vector(np.float32(0))
    for i in range(size):
        difference = x[i] - scale * floats_of(nearest(inverse * x[i]) & 255)
        best = best + weights[i] * difference * difference
    for step in range(-4, 5):
        if step == 0:
            continue
        candidate = (np.float32(0.1) * np.float32(step) + np.float32(most)) / top
        this_scale = np.float32(1) / candidate
        error = vector(np.float32(0))
        for i in range(size):
            code = floats_of(smaller(nearest(candidate * x[i]), most))
            difference = x[i] - this_scale * code
            error = error + weights[i] * difference * difference
        better = error < best
        best = pick(better, error, best)
        inverse = pick(better, candidate, inverse)
    sum_lx = vector(np.float32(0))
    sum_l2 = vector(np.float32(0))
    for i in range(size):
        whole = smaller(nearest(inverse * x[i]), most)
        levels[i] = floats_of(whole & 255)
        code = floats_of(whole)
        sum_lx = sum_lx + weights[i] * x[i] * code
        sum_l2 = sum_l2 + weights[i] * code * code
    for _ in range(5):
        changed = top < 0.0
        for i in range(size):
            old = levels[i]
            rest_lx = sum_lx - weights[i] * x[i] * old
            rest_l2 = sum_l2 - weights[i] * old * old
            whole = smaller(nearest(x[i] * rest_l2 / rest_lx), most)
            new = floats_of(whole)
            new_lx = rest_lx + weights[i] * x[i] * new
            new_l2 = rest_l2 + weights[i] * new * new
            better = (
                (rest_lx > 0.0)
                & (rest_l2 > 0.0)
                & (new != old)
                & (new_lx * new_lx * sum_l2 > sum_lx * sum_lx * new_l2)
            )
            levels[i] = pick(better, floats_of(whole & 255), old)
            sum_lx = pick(better, new_lx, sum_lx)
            sum_l2 = pick(better, new_l2, sum_l2)
            changed = changed | better
        if not any_of(changed):
            break
    tiny = top < _TINY
    if any_of(tiny):
        for i in range(size):
            levels[i] = pick(tiny, 0.0, levels[i])
    return pick(tiny, 0.0, pick(sum_l2 > 0.0, sum_lx / sum_l2, 0.0))
