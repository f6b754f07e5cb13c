"""What Q4_K and Q5_K share: the whole search, and 16 bytes of scales before the levels.

A super-block starts with d and dmin in half precision, then 8 scales and 8 minimums of 6
bits each in 12 bytes. Facts from ggml's quantize_row_q4_K_ref, quantize_row_q4_K_impl
(their Q5_K twins differ in the constants) and get_scale_min_k4 (llama.cpp, ggml/src).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from qwq_gguf.quantization.kernels import sub_blocks_of_32 as lanes
from qwq_gguf.quantization.kernels.affine import search_affine
from qwq_gguf.quantization.kernels.jit import compiled, kernel
from qwq_gguf.quantization.kernels.memory import (
    places,
    rows_of_bytes,
    rows_of_floats,
    rows_of_integers,
    store_columns,
    store_words,
)
from qwq_gguf.quantization.kernels.numbers import (
    absolute,
    clamped,
    from_half,
    half_of,
    nearest,
    not_half,
    smaller,
    too_large,
)
from qwq_gguf.quantization.kernels.sub_blocks_of_32 import BLOCKS, SIZE, SUBS
from qwq_gguf.quantization.kernels.symmetric import refine_positive
from qwq_gguf.quantization.kernels.vector import (
    any_of,
    bytes_of,
    floats_of,
    lane_numbers,
    partner,
    pick,
    square_root,
    vector,
)

# Stored weights and room for blocks; False if a weight or a scale does not fit.
Plain: TypeAlias = Callable[[Any, Any], bool]
# The same, with a weight for each column of a row.
Weighted: TypeAlias = Callable[[Any, Any, Any], bool]

__all__ = ["kernels"]


def kernels(bits: int, first: float, steps: int, size: int) -> tuple[Plain, Weighted]:
    """Those for super-blocks of `size` bytes with levels of so many bits, 4 or 5.

    Without importance a sub-block's scale is searched in so many steps from `first` on. What sets
    the two formats apart is fixed before a kernel is compiled.
    """
    most = (1 << bits) - 1
    fifth = bits == 5

    @kernel
    def plain(source: Any, out: Any) -> bool:
        codes = rows_of_integers(SIZE)
        count = len(source) // 256
        fine = True
        for group in range((count + BLOCKS - 1) // BLOCKS):
            fine &= _plain_group(source, out, group, count, codes, most, first, steps, size)
            if fifth:
                _pack_five_bits(codes, out, group, count, size)
            else:
                _pack_four_bits(codes, out, group, count, size)
        return fine

    @kernel
    def weighted(source: Any, out: Any, importance: Any) -> bool:
        codes = rows_of_integers(SIZE)
        count = len(source) // 256
        per_row = len(importance) // 256
        fine = True
        for group in range((count + BLOCKS - 1) // BLOCKS):
            fine &= _weighted_group(
                source, out, importance, per_row, group, count, codes, most, size
            )
            if fifth:
                _pack_five_bits(codes, out, group, count, size)
            else:
                _pack_four_bits(codes, out, group, count, size)
        return fine

    return plain, weighted


@compiled
def _plain_group(
    source: Any, out: Any, group: int, count: int, codes: Any,
    most: int, first: float, steps: int, block_bytes: int,
) -> bool:  # fmt: skip
    """Search one group without importance, write its scales, leave its levels in `codes`."""
    x = rows_of_floats(SIZE)
    weights = rows_of_floats(SIZE)
    work = rows_of_floats(SIZE)
    peak = lanes.load(source, group, count, x)
    squares = vector(np.float32(0))
    for i in range(SIZE):
        squares = squares + x[i] * x[i]
    average = square_root(squares / 32.0)
    for i in range(SIZE):
        weights[i] = average + absolute(x[i])
    found = search_affine(x, weights, work, SIZE, most, first, 0.1, steps, False)
    scale, minimum, inverse, base = found
    top_scale = lanes.largest(scale)
    top_minimum = lanes.largest(minimum)
    to_scale = pick(top_scale > 0.0, 63.0 / top_scale, 0.0)
    to_minimum = pick(top_minimum > 0.0, 63.0 / top_minimum, 0.0)
    scales = smaller(nearest(to_scale * scale) & 255, 63)
    minimums = smaller(nearest(to_minimum * minimum) & 255, 63)
    d = half_of(top_scale / 63.0)
    d_minimum = half_of(top_minimum / 63.0)
    _finish(
        x, inverse, base, scales, minimums, d, d_minimum, codes,
        most, out, group, count, block_bytes,
    )  # fmt: skip
    return not (too_large(peak) or not_half(d) or not_half(d_minimum))


@compiled
def _weighted_group(
    source: Any, out: Any, importance: Any, per_row: int, group: int, count: int, codes: Any,
    most: int, block_bytes: int,
) -> bool:  # fmt: skip
    """The same with importance weights, one for each column of a row."""
    x = rows_of_floats(SIZE)
    weights = rows_of_floats(SIZE)
    work = rows_of_floats(SIZE)
    peak = lanes.load(source, group, count, x)
    sums = lanes.importance_weights(importance, group, count, per_row, 2.0, x, weights)
    found = search_affine(x, weights, work, SIZE, most, -0.9, 0.05, 36, False)
    scale, minimum, inverse, base = found
    d, scales = _refined(scale, sums)
    d_minimum, minimums = _refined(minimum, sums)
    if most == 31:  # a negative scale is a large byte, which only Q5_K bounds
        scales = smaller(scales, 63)
        minimums = smaller(minimums, 63)
    _finish(
        x, inverse, base, scales, minimums, d, d_minimum, codes,
        most, out, group, count, block_bytes,
    )  # fmt: skip
    return not (too_large(peak) or not_half(d) or not_half(d_minimum))


@compiled
def _refined(values: Any, sums: Any) -> tuple[Any, Any]:
    """(d in half precision, bytes): each super-block's 8 values as d * byte."""
    x = rows_of_floats(SUBS)
    weights = rows_of_floats(SUBS)
    levels = rows_of_floats(SUBS)
    lanes.spread_all(values, x)
    lanes.spread_all(sums, weights)
    scale = refine_positive(x, weights, levels, SUBS, 63)
    return half_of(scale), nearest(lanes.own(levels))


@compiled
def _finish(
    x: Any, inverse: Any, base: Any, scales: Any, minimums: Any, d: Any, d_minimum: Any,
    codes: Any, most: int, out: Any, group: int, count: int, block_bytes: int,
) -> None:  # fmt: skip
    """Write d, dmin and the scales; final levels into `codes`."""
    starts = places(32)
    for lane in range(32):
        starts[lane] = min(group * BLOCKS + ((lane >> 2) & 3), count - 1) * block_bytes
    store_words(d | (d_minimum << 16), 4, out, starts)
    # Sub-blocks 4 to 7 have their upper bits in the bytes of 0 to 3, and bytes of their own
    # for the lower. Both lanes of such a pair compute and write the same bytes.
    upper_half = (lane_numbers() & 2) != 0
    low_scale = pick(upper_half, partner(scales, 2), scales)
    low_minimum = pick(upper_half, partner(minimums, 2), minimums)
    high_scale = pick(upper_half, scales, partner(scales, 2))
    high_minimum = pick(upper_half, minimums, partner(minimums, 2))
    first = (low_scale | ((high_scale >> 4) << 6)) & 255
    second = (low_minimum | ((high_minimum >> 4) << 6)) & 255
    third = (high_scale & 15) | ((high_minimum & 15) << 4)
    for lane in range(32):
        starts[lane] += 4 + (lanes.sub_of(lane) & 3)
    store_words(first, 1, out, starts)
    for lane in range(32):
        starts[lane] += 4
    store_words(second, 1, out, starts)
    for lane in range(32):
        starts[lane] += 4
    store_words(third, 1, out, starts)

    scale = pick(upper_half, (third & 15) | ((first >> 6) << 4), first & 63)
    minimum = pick(upper_half, (third >> 4) | ((second >> 6) << 4), second & 63)
    step = from_half(d) * floats_of(scale)
    shift = from_half(d_minimum) * floats_of(minimum)
    for i in range(SIZE):
        codes[i] = clamped(nearest((x[i] + shift) / step), 0, most)
    flat = step == 0.0
    if any_of(flat):  # then the search's own levels stay
        for i in range(SIZE):
            kept = clamped(nearest(inverse * (x[i] - base)), 0, most)
            codes[i] = pick(flat, kept, codes[i])


@compiled
def _store_levels(
    packed: Any, out: Any, group: int, count: int, block_bytes: int, offset: int
) -> None:
    """Write 32 bytes of levels of each pair of sub-blocks, from the lanes 0 to 15."""
    starts = places(32)
    for lane in range(16):
        block = min(group * BLOCKS + (lane >> 2), count - 1)
        starts[lane] = block * block_bytes + offset + (lane & 3) * 32
    store_columns(packed, 0, out, starts, 16)
    for lane in range(16):
        starts[lane] += 16
    store_columns(packed, 16, out, starts, 16)


@compiled
def _pack_four_bits(codes: Any, out: Any, group: int, count: int, size: int) -> None:
    """Write 128 bytes of levels, two sub-blocks to a byte."""
    packed = rows_of_bytes(SIZE)
    for i in range(SIZE):
        packed[i] = bytes_of(codes[i] | (partner(codes[i], 16) << 4))
    _store_levels(packed, out, group, count, size, 16)


@compiled
def _pack_five_bits(codes: Any, out: Any, group: int, count: int, size: int) -> None:
    """Write 32 bytes with the levels' fifth bits, and 128 with the lower four."""
    low = rows_of_bytes(SIZE)
    high = rows_of_bytes(SIZE)
    place = lanes.sub_of(lane_numbers())
    for i in range(SIZE):
        lower = codes[i] & 15
        low[i] = bytes_of(lower | (partner(lower, 16) << 4))
        bits = (codes[i] >> 4) << place
        bits = bits | partner(bits, 1)
        bits = bits | partner(bits, 2)
        high[i] = bytes_of(bits | partner(bits, 16))
    starts = places(32)
    for lane in range(16):  # four lanes of each super-block write the same
        starts[lane] = min(group * BLOCKS + (lane >> 2), count - 1) * size + 16
    store_columns(high, 0, out, starts, 16)
    for lane in range(16):
        starts[lane] += 16
    store_columns(high, 16, out, starts, 16)
    _store_levels(low, out, group, count, size, 48)
