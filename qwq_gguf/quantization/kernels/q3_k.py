"""Q3_K: super-blocks of 16 sub-blocks of 16 weights, 3-bit levels, 6-bit scales, no minimum.

110 bytes: 32 with the levels' third bits (bit n of byte i is that of weight 32 * n + i),
64 with the lower two, four weights 32 apart to a byte, 12 bytes of scales, d. Facts from
ggml's block_q3_K and quantize_row_q3_K_* (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels import sub_blocks_of_16 as lanes
from qwq_gguf.quantization.kernels.jit import compiled, kernel
from qwq_gguf.quantization.kernels.memory import (
    places,
    rows_of_bytes,
    rows_of_floats,
    store_columns,
    store_words,
)
from qwq_gguf.quantization.kernels.numbers import (
    clamped,
    from_half,
    half_of,
    level,
    nearest,
    not_half,
    signed_byte,
    too_large,
)
from qwq_gguf.quantization.kernels.sub_blocks_of_16 import BLOCKS, SIZE, SUBS
from qwq_gguf.quantization.kernels.symmetric import refine_signed, search_symmetric
from qwq_gguf.quantization.kernels.vector import (
    any_of,
    bytes_of,
    floats_of,
    lane_numbers,
    partner,
    pick,
)

__all__ = ["plain", "weighted"]

_BYTES = 110


@compiled
def _finish(x: Any, levels: Any, scales: Any, d: Any, out: Any, group: int, count: int) -> None:
    """Write a group; `levels` are the search's, from -4; `scales` go from 0 to 63."""
    step = from_half(d) * floats_of(scales - 32)
    flat = step == 0.0
    some_flat = any_of(flat)
    lane = lane_numbers()
    place = ((lane & 2) << 1) | (lane >> 3)  # of the third bit
    low = rows_of_bytes(SIZE)
    high = rows_of_bytes(SIZE)
    for i in range(SIZE):
        code = clamped(nearest(x[i] / step), -4, 3) + 4
        if some_flat:  # then the search's own levels stay
            code = pick(flat, nearest(levels[i]) + 4, code)
        bits = code & 3
        bits = bits | (partner(bits, 8) << 2)
        low[i] = bytes_of(bits | (partner(bits, 16) << 4))
        third = (code >> 2) << place
        third = third | partner(third, 2)
        third = third | partner(third, 8)
        high[i] = bytes_of(third | partner(third, 16))
    lanes.store_quarters(low, out, group, count, _BYTES, 32)
    starts = places(32)
    for number in range(8):
        block = min(group * BLOCKS + ((number >> 2) & 1), count - 1)
        starts[number] = block * _BYTES + (number & 1) * 16
    store_columns(high, 0, out, starts, 8)
    # Scales n and n + 8 share a byte of the lower four bits; n, n + 4, n + 8 and n + 12
    # one of the upper two. All lanes that share a byte write it, with the same bits.
    lower = (scales & 15) << ((lane & 2) << 1)
    lower = lower | partner(lower, 2)
    for number in range(32):
        block = min(group * BLOCKS + ((number >> 2) & 1), count - 1)
        starts[number] = block * _BYTES + 96 + (lanes.sub_of(number) & 7)
    store_words(lower, 1, out, starts)
    upper = (scales >> 4) << ((lane & 2) << 1 | (lane >> 4) << 1)
    upper = upper | partner(upper, 2)
    upper = upper | partner(upper, 16)
    for number in range(32):
        block = min(group * BLOCKS + ((number >> 2) & 1), count - 1)
        starts[number] = block * _BYTES + 104 + (lanes.sub_of(number) & 3)
    store_words(upper, 1, out, starts)
    for number in range(32):
        block = min(group * BLOCKS + ((number >> 2) & 1), count - 1)
        starts[number] = block * _BYTES + 108
    store_words(d, 2, out, starts)


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    x = rows_of_floats(SIZE)
    levels = rows_of_floats(SIZE)
    count = len(source) // 256
    fine = True
    for group in range((count + BLOCKS - 1) // BLOCKS):
        peak = lanes.load(source, group, count, x)
        scale = refine_signed(x, levels, SIZE, 4)
        strongest = lanes.strongest(scale)
        empty = strongest == 0.0
        to_level = -32.0 / strongest
        scales = clamped(signed_byte(nearest(to_level * scale)), -32, 31) + 32
        scales = pick(empty, 0, scales)
        d = pick(empty, 0, half_of(1.0 / to_level))
        _finish(x, levels, scales, d, out, group, count)
        fine &= not (too_large(peak) or not_half(d))
    return fine


@kernel
def weighted(source: Any, out: Any, importance: Any) -> bool:
    """The same, with a weight for each column of a row."""
    x = rows_of_floats(SIZE)
    weights = rows_of_floats(SIZE)
    all_scales = rows_of_floats(SUBS)
    all_sums = rows_of_floats(SUBS)
    count = len(source) // 256
    per_row = len(importance) // 256
    fine = True
    for group in range((count + BLOCKS - 1) // BLOCKS):
        peak = lanes.load(source, group, count, x)
        sums = lanes.importance_weights(importance, group, count, per_row, 2.0, x, weights)
        scale, inverse, tiny = search_symmetric(x, weights, SIZE, 4)
        for i in range(SIZE):
            weights[i] = pick(tiny, -4.0, level(inverse * x[i], -4, 3))
        lanes.spread_all(scale, all_scales)
        lanes.spread_all(sums, all_sums)
        step, to_level, none = search_symmetric(all_scales, all_sums, SUBS, 32)
        scales = pick(none, 0, clamped(nearest(to_level * scale), -32, 31) + 32)
        d = half_of(step)
        _finish(x, weights, scales, d, out, group, count)
        fine &= not (too_large(peak) or not_half(d))
    return fine
