"""What Q4_0, Q4_1, Q5_0 and Q5_1 do without importance: no search, one division a block.

A block is a vector here. Where 1 / d would be infinite, C turns the infinities and NaN
that follow into levels of 0; here the factor and the rounding constant are 0 instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qwq_gguf.quantize.kernels.blocks import SIZE, set_places
from qwq_gguf.quantize.kernels.jit import compiled
from qwq_gguf.quantize.kernels.memory import places, rows_of_floats, rows_of_integers, store_words
from qwq_gguf.quantize.kernels.numbers import (
    absolute,
    finite,
    half_of,
    larger,
    not_half,
    smaller,
    too_large,
)
from qwq_gguf.quantize.kernels.single import (
    fetch,
    first_lane,
    highest,
    lane_of,
    load_block,
    mask_bits,
    set_lane,
    store_nibbles,
    value_at,
)
from qwq_gguf.quantize.kernels.vector import (
    LANES,
    any_of,
    bits_of,
    float_of,
    integers_of,
    pick,
    vector,
)

__all__ = ["affine", "symmetric"]

_AHEAD = 2 * LANES * SIZE  # weights from here to those that should be on their way


@compiled
def _inverse(d: Any, constant: float) -> tuple[Any, Any]:
    """1 / d and the constant to add before cutting off the fraction."""
    inverse = pick(d != 0.0, 1.0 / d, 0.0)
    usable = finite(inverse)
    return usable, pick(usable == inverse, vector(np.float32(constant)), 0.0)


@compiled
def symmetric(source: Any, out: Any, most: int, five: bool, stride: int) -> bool:
    """Q4_0 (most 8) and Q5_0 (most 16): the weight of largest magnitude gets level 0."""
    peaks = rows_of_floats(1)
    inverses = rows_of_floats(1)
    constants = rows_of_floats(1)
    fifths = rows_of_integers(1)
    starts = places(32)
    count = len(source) // SIZE
    fine = True
    for group in range((count + LANES - 1) // LANES):
        first = group * LANES
        here = min(LANES, count - first)
        for lane in range(here):
            start = (first + lane) * SIZE
            fetch(source, start + _AHEAD)
            x = load_block(source, start)
            magnitude = bits_of(absolute(x))
            at = first_lane(magnitude == vector(highest(magnitude)))
            set_lane(peaks, 0, lane, value_at(x, at))
        for lane in range(here, LANES):
            set_lane(peaks, 0, lane, lane_of(peaks, 0, here - 1))
        peak = pick(peaks[0] == 0.0, 0.0, peaks[0])
        d = peak / -most
        inverses[0], constants[0] = _inverse(d, most + 0.5)
        half = half_of(d)
        set_places(starts, group, count, stride, 0)
        store_words(half, 2, out, starts)
        for lane in range(here):
            block = first + lane
            scaled = load_block(source, block * SIZE) * lane_of(inverses, 0, lane)
            codes = smaller(integers_of(scaled + lane_of(constants, 0, lane)), 2 * most - 1)
            if five:
                set_lane(fifths, 0, lane, mask_bits((codes & 16) != 0))
            store_nibbles(codes, out, block * stride + (6 if five else 2))
        if five:
            for lane in range(here, LANES):
                set_lane(fifths, 0, lane, lane_of(fifths, 0, here - 1))
            set_places(starts, group, count, stride, 2)
            store_words(fifths[0], 4, out, starts)
        fine &= not (too_large(bits_of(absolute(peak))) or not_half(half))
    return fine


@compiled
def _ordered(bits: Any) -> Any:
    """Bits of floats as integers in the order of the floats; and back."""
    return pick(bits < 0, bits ^ 0x7FFFFFFF, bits)


@compiled
def affine(source: Any, out: Any, most: int, five: bool, stride: int) -> bool:
    """Q4_1 (most 15) and Q5_1 (most 31): the least weight gets level 0, the greatest `most`."""
    lows = rows_of_floats(1)
    least = rows_of_integers(1)
    highs = rows_of_integers(1)
    inverses = rows_of_floats(1)
    constants = rows_of_floats(1)
    fifths = rows_of_integers(1)
    starts = places(32)
    count = len(source) // SIZE
    fine = True
    for group in range((count + LANES - 1) // LANES):
        first = group * LANES
        here = min(LANES, count - first)
        for lane in range(here):
            start = (first + lane) * SIZE
            fetch(source, start + _AHEAD)
            x = load_block(source, start)
            order = _ordered(bits_of(x))
            set_lane(least, 0, lane, highest(order ^ -1))
            set_lane(highs, 0, lane, highest(order))
        for lane in range(here, LANES):
            set_lane(least, 0, lane, lane_of(least, 0, here - 1))
            set_lane(highs, 0, lane, lane_of(highs, 0, here - 1))
        lows[0] = float_of(_ordered(least[0] ^ -1))
        if any_of(lows[0] == 0.0):  # of zeros the first gives its sign
            for lane in range(LANES):
                if lane_of(lows, 0, lane) == 0.0:
                    x = load_block(source, min(first + lane, count - 1) * SIZE)
                    set_lane(lows, 0, lane, value_at(x, first_lane(x == 0.0)))
        low = lows[0]
        high = float_of(_ordered(highs[0]))
        d = (high - low) / most
        inverses[0], constants[0] = _inverse(d, 0.5)
        half = half_of(d)
        half_low = half_of(low)
        set_places(starts, group, count, stride, 0)
        store_words(half | (half_low << 16), 4, out, starts)
        for lane in range(here):
            block = first + lane
            above = load_block(source, block * SIZE) - lane_of(lows, 0, lane)
            scaled = above * lane_of(inverses, 0, lane) + lane_of(constants, 0, lane)
            codes = smaller(integers_of(scaled), most)
            if five:
                set_lane(fifths, 0, lane, mask_bits((codes & 16) != 0))
            store_nibbles(codes, out, block * stride + (8 if five else 4))
        if five:
            for lane in range(here, LANES):
                set_lane(fifths, 0, lane, lane_of(fifths, 0, here - 1))
            set_places(starts, group, count, stride, 4)
            store_words(fifths[0], 4, out, starts)
        peak = bits_of(larger(absolute(low), absolute(high)))
        fine &= not (too_large(peak) or not_half(half) or not_half(half_low))
    return fine
