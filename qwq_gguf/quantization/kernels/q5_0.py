"""Q5_0: blocks of 32 weights, 5-bit levels, one scale.

22 bytes: d in half precision, 4 bytes with the levels' fifth bits (bit i is that of
weight i), 16 bytes with the lower four, weight i with weight i + 16. Without importance
the scale takes the largest weight to level 0. Facts from ggml's block_q5_0,
quantize_row_q5_0_ref and quantize_row_q5_0_impl (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qwq_gguf.quantization.kernels import blocks
from qwq_gguf.quantization.kernels import nearest_levels as unsearched
from qwq_gguf.quantization.kernels.blocks import SIZE
from qwq_gguf.quantization.kernels.jit import kernel
from qwq_gguf.quantization.kernels.memory import rows_of_floats, rows_of_integers
from qwq_gguf.quantization.kernels.numbers import (
    clamped,
    half_of,
    nearest,
    not_half,
    too_large,
)
from qwq_gguf.quantization.kernels.symmetric import search_symmetric
from qwq_gguf.quantization.kernels.vector import LANES, pick

__all__ = ["plain", "weighted"]

_BYTES = 22


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    return unsearched.symmetric(source, out, 16, True, _BYTES)


@kernel
def weighted(source: Any, out: Any, importance: Any) -> bool:
    """The same, with a weight for each column of a row."""
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
        scale, inverse, tiny = search_symmetric(x, weights, SIZE, 16)
        for i in range(SIZE):
            code = clamped(nearest(inverse * x[i]), -16, 15) + 16
            codes[i] = pick(tiny, 0, code)
        half = half_of(scale)
        blocks.store_header(half, 2, out, group, count, _BYTES, 0)
        blocks.store_five_bits(codes, out, group, count, _BYTES, 2)
        fine &= not (too_large(peak) or not_half(half))
    return fine
