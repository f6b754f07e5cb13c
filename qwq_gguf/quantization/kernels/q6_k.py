"""Q6_K: super-blocks of 16 sub-blocks of 16 weights, 6-bit levels, 8-bit scales, no minimum.

210 bytes: 128 with the levels' lower four bits, 64 with the upper two, 16 scales, d. In
each half of 128 weights, weights 64 apart share a byte of the lower bits, and four 32
apart a byte of the upper. Facts from ggml's block_q6_K and quantize_row_q6_K_*
(llama.cpp, ggml/src).
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
    absolute,
    clamped,
    from_half,
    half_of,
    nearest,
    not_half,
    signed_byte,
    smaller,
    too_large,
)
from qwq_gguf.quantization.kernels.sub_blocks_of_16 import BLOCKS, SIZE
from qwq_gguf.quantization.kernels.symmetric import search_symmetric
from qwq_gguf.quantization.kernels.vector import any_of, bytes_of, floats_of, partner, pick

__all__ = ["plain", "weighted"]

_BYTES = 210


@compiled
def _group(x: Any, weights: Any, out: Any, group: int, count: int) -> Any:
    """Search, round and write one group; returns the half-precision d of each lane."""
    scale, inverse, tiny = search_symmetric(x, weights, SIZE, 32)
    strongest = lanes.strongest(scale)
    empty = absolute(strongest) < 1e-15
    to_byte = -128.0 / strongest
    d = pick(empty, 0, half_of(1.0 / to_byte))
    scales = signed_byte(pick(empty, 0, smaller(nearest(to_byte * scale), 127)))
    step = from_half(d) * floats_of(scales)
    flat = step == 0.0
    some_flat = any_of(flat)
    low = rows_of_bytes(SIZE)
    high = rows_of_bytes(SIZE)
    for i in range(SIZE):
        code = clamped(nearest(x[i] / step), -32, 31) + 32
        if some_flat:  # then the search's own levels stay
            kept = clamped(nearest(inverse * x[i]), -32, 31) + 32
            kept = pick(tiny, 0, kept)
            code = pick(flat, pick(empty, 0, kept), code)
        lower = code & 15
        low[i] = bytes_of(lower | (partner(lower, 16) << 4))
        bits = code >> 4
        bits = bits | (partner(bits, 8) << 2)
        high[i] = bytes_of(bits | (partner(bits, 16) << 4))
    starts = places(32)
    for lane in range(16):
        block = min(group * BLOCKS + ((lane >> 2) & 1), count - 1)
        half, quarter = (lane >> 1) & 1, lane >> 3
        starts[lane] = block * _BYTES + half * 64 + quarter * 32 + (lane & 1) * 16
    store_columns(low, 0, out, starts, 16)
    for lane in range(8):
        block = min(group * BLOCKS + ((lane >> 2) & 1), count - 1)
        starts[lane] = block * _BYTES + 128 + ((lane >> 1) & 1) * 32 + (lane & 1) * 16
    store_columns(high, 0, out, starts, 8)
    for lane in range(32):
        block = min(group * BLOCKS + ((lane >> 2) & 1), count - 1)
        starts[lane] = block * _BYTES + 192 + lanes.sub_of(lane)
    store_words(scales, 1, out, starts)
    for lane in range(32):
        block = min(group * BLOCKS + ((lane >> 2) & 1), count - 1)
        starts[lane] = block * _BYTES + 208
    store_words(d, 2, out, starts)
    return d


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    x = rows_of_floats(SIZE)
    weights = rows_of_floats(SIZE)
    count = len(source) // 256
    fine = True
    for group in range((count + BLOCKS - 1) // BLOCKS):
        peak = lanes.load(source, group, count, x)
        for i in range(SIZE):
            weights[i] = x[i] * x[i]
        d = _group(x, weights, out, group, count)
        fine &= not (too_large(peak) or not_half(d))
    return fine


@kernel
def weighted(source: Any, out: Any, importance: Any) -> bool:
    """The same, with a weight for each column of a row, taken as it is."""
    x = rows_of_floats(SIZE)
    weights = rows_of_floats(SIZE)
    count = len(source) // 256
    per_row = len(importance) // 256
    fine = True
    for group in range((count + BLOCKS - 1) // BLOCKS):
        peak = lanes.load(source, group, count, x)
        lanes.load_importance(importance, group, count, per_row, weights)
        d = _group(x, weights, out, group, count)
        fine &= not (too_large(peak) or not_half(d))
    return fine
