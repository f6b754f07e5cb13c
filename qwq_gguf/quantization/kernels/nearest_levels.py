"""What Q4_0, Q4_1, Q5_0 and Q5_1 do without importance: no search, one division a block.

A block is a vector here. Where 1 / d would be infinite, C turns the infinities and NaN
that follow into levels of 0; here the factor and the rounding constant are 0 instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qwq_gguf.quantization.kernels.blocks import SIZE, set_places
from qwq_gguf.quantization.kernels.extremes import load_peaks
from qwq_gguf.quantization.kernels.jit import compiled
from qwq_gguf.quantization.kernels.memory import (
    places,
    rows_of_floats,
    rows_of_integers,
    store_words,
)
from qwq_gguf.quantization.kernels.numbers import (
    absolute,
    finite,
    half_of,
    larger,
    not_half,
    too_large,
)
from qwq_gguf.quantization.kernels.one_block import (
    at_most,
    fetch,
    first_lane,
    highest,
    lane_of,
    levels_of,
    load_block,
    load_dealt,
    set_lane,
    store_fifth_bits,
    store_nibbles,
    value_at,
)
from qwq_gguf.quantization.kernels.vector import (
    LANES,
    any_of,
    bits_of,
    float_of,
    integers_of,
    pick,
    vector,
)

__all__ = ["affine", "symmetric"]

_AHEAD = 6 * LANES * SIZE  # weights from here to those that should be on their way


@compiled
def _inverse(d: Any, constant: float) -> tuple[Any, Any]:
    """1 / d and the constant to add before cutting off the fraction."""
    inverse = pick(d != 0.0, 1.0 / d, 0.0)
    usable = finite(inverse)
    return usable, pick(usable == inverse, vector(np.float32(constant)), 0.0)


@compiled
def _largest(source: Any, group: int, count: int, extremes: Any, peaks: Any) -> Any:
    """The weight of largest magnitude of each block, of equals the first; 0 if all are 0."""
    above = larger(bits_of(extremes[0]), 0)  # of what is positive, and the magnitude of
    below = larger(bits_of(extremes[1]) ^ 0x80000000, 0)  # what is negative; else 0
    peaks[0] = pick(above > below, float_of(above), extremes[1])
    if any_of((above == below) & (above != 0)):
        for lane in range(LANES):
            if lane_of(extremes, 0, lane) == -lane_of(extremes, 1, lane):
                x = load_block(source, min(group * LANES + lane, count - 1) * SIZE)
                at = first_lane(absolute(x) == lane_of(extremes, 0, lane))
                set_lane(peaks, 0, lane, value_at(x, at))
    return pick((above | below) == 0, 0.0, peaks[0])


@compiled
def symmetric(source: Any, out: Any, most: int, five: bool, stride: int) -> bool:
    """Q4_0 (most 8) and Q5_0 (most 16): the weight of largest magnitude gets level 0.

    The scales of a group are found before the levels of the group before it are written:
    the one waits for divisions, which the other has work beside.
    """
    extremes = rows_of_floats(2)
    peaks = rows_of_floats(1)
    inverses = rows_of_floats(2)
    constants = rows_of_floats(2)
    starts = places(32)
    count = len(source) // SIZE
    groups = (count + LANES - 1) // LANES
    fine = True
    for group in range(groups + 1):
        if group < groups:
            set_places(starts, group, count, SIZE, 0)
            load_peaks(source, starts, extremes)
            peak = _largest(source, group, count, extremes, peaks)
            d = peak / -most
            inverses[group & 1], constants[group & 1] = _inverse(d, most + 0.5)
            half = half_of(d)
            set_places(starts, group, count, stride, 0)
            store_words(half, 2, out, starts)
            fine &= not (too_large(bits_of(absolute(peak))) or not_half(half))
        if group > 0:
            first = (group - 1) * LANES
            row = (group - 1) & 1
            for lane in range(min(LANES, count - first)):
                block = first + lane
                fetch(source, block * SIZE + _AHEAD)
                scaled = load_dealt(source, block * SIZE) * lane_of(inverses, row, lane)
                codes = integers_of(scaled + lane_of(constants, row, lane))
                levels = at_most(levels_of(source, codes), 2 * most - 1)
                if five:
                    store_fifth_bits(levels, out, block * stride + 2)
                store_nibbles(levels, out, block * stride + (6 if five else 2))
    return fine


@compiled
def _ordered(bits: Any) -> Any:
    """Bits of floats as integers in the order of the floats; and back."""
    return pick(bits < 0, bits ^ 0x7FFFFFFF, bits)


@compiled
def _range(source: Any, group: int, count: int, extremes: Any, bits: Any) -> tuple[Any, Any]:
    """The least and the greatest weight of each block; of zeros, the first gives its sign."""
    bits[0] = bits_of(extremes[1])
    bits[1] = bits_of(extremes[0])
    if any_of((bits[0] >= 0) | (bits[1] < 0)):  # a block whose weights have one sign
        for lane in range(LANES):
            if lane_of(bits, 0, lane) >= 0 or lane_of(bits, 1, lane) < 0:
                block = min(group * LANES + lane, count - 1)
                order = _ordered(bits_of(load_block(source, block * SIZE)))
                least = highest(order ^ -1) ^ -1
                most = highest(order)
                set_lane(bits, 0, lane, least if least >= 0 else least ^ 0x7FFFFFFF)
                set_lane(bits, 1, lane, most if most >= 0 else most ^ 0x7FFFFFFF)
    if any_of((bits[0] & 0x7FFFFFFF) == 0):
        for lane in range(LANES):
            if lane_of(bits, 0, lane) & 0x7FFFFFFF == 0:
                x = load_block(source, min(group * LANES + lane, count - 1) * SIZE)
                set_lane(bits, 0, lane, value_at(bits_of(x), first_lane(x == 0.0)))
    return float_of(bits[0]), float_of(bits[1])


@compiled
def affine(source: Any, out: Any, most: int, five: bool, stride: int) -> bool:
    """Q4_1 (most 15) and Q5_1 (most 31): the least weight gets level 0, the greatest `most`.

    In the order of `symmetric`. No level comes out above `most`: it would take an error of
    3 % in the inverse.
    """
    extremes = rows_of_floats(2)
    bits = rows_of_integers(2)
    lows = rows_of_floats(2)
    inverses = rows_of_floats(2)
    constants = rows_of_floats(2)
    starts = places(32)
    count = len(source) // SIZE
    groups = (count + LANES - 1) // LANES
    fine = True
    for group in range(groups + 1):
        if group < groups:
            row = group & 1
            set_places(starts, group, count, SIZE, 0)
            load_peaks(source, starts, extremes)
            low, high = _range(source, group, count, extremes, bits)
            lows[row] = low
            d = (high - low) / most
            inverses[row], constants[row] = _inverse(d, 0.5)
            half = half_of(d)
            half_low = half_of(low)
            set_places(starts, group, count, stride, 0)
            store_words(half | (half_low << 16), 4, out, starts)
            peak = bits_of(larger(absolute(low), absolute(high)))
            fine &= not (too_large(peak) or not_half(half) or not_half(half_low))
        if group > 0:
            first = (group - 1) * LANES
            row = (group - 1) & 1
            for lane in range(min(LANES, count - first)):
                block = first + lane
                fetch(source, block * SIZE + _AHEAD)
                above = load_dealt(source, block * SIZE) - lane_of(lows, row, lane)
                scaled = above * lane_of(inverses, row, lane) + lane_of(constants, row, lane)
                levels = levels_of(source, integers_of(scaled))
                if five:
                    store_fifth_bits(levels, out, block * stride + 4)
                store_nibbles(levels, out, block * stride + (8 if five else 4))
    return fine
