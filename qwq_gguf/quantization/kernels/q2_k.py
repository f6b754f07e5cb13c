"""Q2_K: super-blocks of 16 sub-blocks of 16 weights, 2-bit levels, 4-bit scales and minimums.

84 bytes: 16 with a scale and a minimum each, 64 of levels, d, dmin. In each half of 128
weights, four weights 32 apart share a byte. Facts from ggml's block_q2_K and
quantize_row_q2_K_* (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels import sub_blocks_of_16 as lanes
from qwq_gguf.quantization.kernels.affine import search_affine
from qwq_gguf.quantization.kernels.jit import compiled, kernel
from qwq_gguf.quantization.kernels.memory import places, rows_of_bytes, rows_of_floats, store_words
from qwq_gguf.quantization.kernels.numbers import (
    absolute,
    clamped,
    from_half,
    half_of,
    nearest,
    not_half,
    too_large,
)
from qwq_gguf.quantization.kernels.sub_blocks_of_16 import BLOCKS, SIZE, SUBS
from qwq_gguf.quantization.kernels.symmetric import refine_positive
from qwq_gguf.quantization.kernels.vector import any_of, bytes_of, floats_of, partner, pick

__all__ = ["plain", "weighted"]

_BYTES = 84


@compiled
def _finish(
    x: Any, inverse: Any, base: Any, both: Any, d: Any, d_minimum: Any,
    out: Any, group: int, count: int,
) -> None:  # fmt: skip
    """Write a group; `both` is the byte of scale and minimum."""
    step = from_half(d) * floats_of(both & 15)
    shift = from_half(d_minimum) * floats_of(both >> 4)
    flat = step == 0.0
    some_flat = any_of(flat)
    packed = rows_of_bytes(SIZE)
    for i in range(SIZE):
        code = clamped(nearest((x[i] + shift) / step), 0, 3)
        if some_flat:  # then the search's own levels stay
            code = pick(flat, clamped(nearest(inverse * (x[i] - base)), 0, 3), code)
        bits = code | (partner(code, 8) << 2)
        packed[i] = bytes_of(bits | (partner(bits, 16) << 4))
    lanes.store_quarters(packed, out, group, count, _BYTES, 16)
    starts = places(32)
    for lane in range(32):
        block = min(group * BLOCKS + ((lane >> 2) & 1), count - 1)
        starts[lane] = block * _BYTES + lanes.sub_of(lane)
    store_words(both, 1, out, starts)
    for lane in range(32):
        block = min(group * BLOCKS + ((lane >> 2) & 1), count - 1)
        starts[lane] = block * _BYTES + 80
    store_words(d | (d_minimum << 16), 4, out, starts)


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    x = rows_of_floats(SIZE)
    weights = rows_of_floats(SIZE)
    work = rows_of_floats(SIZE)
    count = len(source) // 256
    fine = True
    for group in range((count + BLOCKS - 1) // BLOCKS):
        peak = lanes.load(source, group, count, x)
        for i in range(SIZE):
            weights[i] = absolute(x[i])
        found = search_affine(x, weights, work, SIZE, 3, -0.5, 0.1, 15, True)
        scale, minimum, inverse, base = found
        top_scale = lanes.largest(scale)
        top_minimum = lanes.largest(minimum)
        scales = pick(top_scale > 0.0, nearest(15.0 / top_scale * scale), 0)
        minimums = pick(top_minimum > 0.0, nearest(15.0 / top_minimum * minimum), 0)
        d = half_of(top_scale / 15.0)
        d_minimum = half_of(top_minimum / 15.0)
        both = (scales | (minimums << 4)) & 255
        _finish(x, inverse, base, both, d, d_minimum, out, group, count)
        fine &= not (too_large(peak) or not_half(d) or not_half(d_minimum))
    return fine


@compiled
def _refined(values: Any, sums: Any) -> tuple[Any, Any]:
    """(d in half precision, bytes): each super-block's 16 values as d * byte."""
    x = rows_of_floats(SUBS)
    weights = rows_of_floats(SUBS)
    levels = rows_of_floats(SUBS)
    lanes.spread_all(values, x)
    lanes.spread_all(sums, weights)
    scale = refine_positive(x, weights, levels, SUBS, 15)
    return half_of(scale), nearest(lanes.own(levels))


@kernel
def weighted(source: Any, out: Any, importance: Any) -> bool:
    """The same, with a weight for each column of a row."""
    x = rows_of_floats(SIZE)
    weights = rows_of_floats(SIZE)
    work = rows_of_floats(SIZE)
    count = len(source) // 256
    per_row = len(importance) // 256
    fine = True
    for group in range((count + BLOCKS - 1) // BLOCKS):
        peak = lanes.load(source, group, count, x)
        sums = lanes.importance_weights(importance, group, count, per_row, 1.0, x, weights)
        found = search_affine(x, weights, work, SIZE, 3, -0.9, 0.05, 36, False)
        scale, minimum, inverse, base = found
        d, scales = _refined(scale, sums)
        d_minimum, minimums = _refined(minimum, sums)
        both = (scales | (minimums << 4)) & 255
        _finish(x, inverse, base, both, d, d_minimum, out, group, count)
        fine &= not (too_large(peak) or not_half(d) or not_half(d_minimum))
    return fine
