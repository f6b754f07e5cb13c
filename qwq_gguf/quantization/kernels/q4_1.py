"""Q4_1: blocks of 32 weights, 4-bit levels, a scale and a minimum.

20 bytes: d and m in half precision, 16 bytes of levels, weight i with weight i + 16.
Facts from ggml's block_q4_1, quantize_row_q4_1_ref and quantize_row_q4_1_impl
(llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qwq_gguf.quantization.kernels import blocks
from qwq_gguf.quantization.kernels import nearest_levels as unsearched
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
from qwq_gguf.quantization.kernels.vector import LANES

__all__ = ["plain", "weighted"]

_BYTES = 20


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    return unsearched.affine(source, out, 15, False, _BYTES)


@kernel
def weighted(source: Any, out: Any, importance: Any) -> bool:
    """The same, with a weight for each column of a row."""
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
        found = search_affine(x, weights, work, SIZE, 15, -0.9, 0.05, 36, False)
        scale, minimum, inverse, base = found
        for i in range(SIZE):
            codes[i] = clamped(nearest(inverse * (x[i] - base)), 0, 15)
        half = half_of(scale)
        half_low = half_of(negated(minimum))
        blocks.store_header(half | (half_low << 16), 4, out, group, count, _BYTES, 0)
        blocks.store_four_bits(codes, out, group, count, _BYTES, 4)
        fine &= not (too_large(peak) or not_half(half) or not_half(half_low))
    return fine
