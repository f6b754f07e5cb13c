"""What Q4_0, Q4_1, Q5_0 and Q5_1 do with importance: the scale that costs the least is searched.

`nearest_levels` is what they do without. A group of blocks is a vector's lanes here. What sets
the four apart is fixed before a kernel is compiled, so that none compiles another's branches.
Facts from
ggml's quantize_row_q4_0_impl and its three siblings (llama.cpp, ggml/src).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from qwq_gguf.quantization.kernels import blocks
from qwq_gguf.quantization.kernels.affine import search_affine
from qwq_gguf.quantization.kernels.blocks import SIZE
from qwq_gguf.quantization.kernels.jit import kernel
from qwq_gguf.quantization.kernels.memory import rows_of_floats, rows_of_integers
from qwq_gguf.quantization.kernels.numbers import (
    clamped,
    half_of,
    nearest,
    negated,
    not_half,
    too_large,
)
from qwq_gguf.quantization.kernels.symmetric import search_symmetric
from qwq_gguf.quantization.kernels.vector import LANES, pick

# Stored weights, room for blocks, importance of each column; False if a weight does not fit.
Kernel: TypeAlias = Callable[[Any, Any, Any], bool]

__all__ = ["affine", "symmetric"]


def symmetric(zero: int, fifth: bool, size: int) -> Kernel:
    """Blocks of `size` bytes with one scale; the weight 0 is at the level `zero`."""

    @kernel
    def weighted(source: Any, out: Any, importance: Any) -> bool:
        x = rows_of_floats(SIZE)
        weights = rows_of_floats(SIZE)
        codes = rows_of_integers(SIZE)
        count = len(source) // SIZE
        variances = np.empty(len(source) // len(importance), dtype=np.float32)
        blocks.mean_squares(source, len(importance), variances)
        fine = True
        for group in range((count + LANES - 1) // LANES):
            peak = blocks.load(source, group, count, x)
            blocks.importance_weights(importance, variances, group, count, x, weights)
            scale, inverse, tiny = search_symmetric(x, weights, SIZE, zero)
            for i in range(SIZE):
                code = clamped(nearest(inverse * x[i]), -zero, zero - 1) + zero
                codes[i] = pick(tiny, 0, code)
            half = half_of(scale)
            blocks.store_header(half, 2, out, group, count, size, 0)
            if fifth:
                blocks.store_five_bits(codes, out, group, count, size, 2)
            else:
                blocks.store_four_bits(codes, out, group, count, size, 2)
            fine &= not (too_large(peak) or not_half(half))
        return fine

    return weighted


def affine(top: int, fifth: bool, size: int) -> Kernel:
    """Blocks of `size` bytes with a scale and a minimum; levels from 0 to `top`."""

    @kernel
    def weighted(source: Any, out: Any, importance: Any) -> bool:
        x = rows_of_floats(SIZE)
        weights = rows_of_floats(SIZE)
        work = rows_of_floats(SIZE)
        codes = rows_of_integers(SIZE)
        count = len(source) // SIZE
        variances = np.empty(len(source) // len(importance), dtype=np.float32)
        blocks.mean_squares(source, len(importance), variances)
        fine = True
        for group in range((count + LANES - 1) // LANES):
            peak = blocks.load(source, group, count, x)
            blocks.importance_weights(importance, variances, group, count, x, weights)
            found = search_affine(x, weights, work, SIZE, top, -0.9, 0.05, 36, False)
            scale, minimum, inverse, base = found
            for i in range(SIZE):
                codes[i] = clamped(nearest(inverse * (x[i] - base)), 0, top)
            half = half_of(scale)
            half_low = half_of(negated(minimum))
            blocks.store_header(half | (half_low << 16), 4, out, group, count, size, 0)
            if fifth:
                blocks.store_five_bits(codes, out, group, count, size, 4)
            else:
                blocks.store_four_bits(codes, out, group, count, size, 4)
            fine &= not (too_large(peak) or not_half(half) or not_half(half_low))
        return fine

    return weighted
