"""Q8_0: blocks of 32 weights, 8-bit levels, one scale.

34 bytes: d in half precision, 32 signed levels. Facts from ggml's block_q8_0 and
quantize_row_q8_0_ref (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantize.kernels import blocks
from qwq_gguf.quantize.kernels.blocks import SIZE
from qwq_gguf.quantize.kernels.jit import kernel
from qwq_gguf.quantize.kernels.memory import (
    places,
    rows_of_bytes,
    rows_of_floats,
    store_columns,
    store_words,
)
from qwq_gguf.quantize.kernels.numbers import half_of, not_half, rounded, too_large
from qwq_gguf.quantize.kernels.vector import LANES, bytes_of, float_of, pick

__all__ = ["plain"]

_BYTES = 34


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    x = rows_of_floats(SIZE)
    packed = rows_of_bytes(SIZE)
    starts = places(32)
    count = len(source) // SIZE
    fine = True
    for group in range((count + LANES - 1) // LANES):
        peak = blocks.load(source, group, count, x)
        d = float_of(peak) / 127.0
        inverse = pick(d != 0.0, 1.0 / d, 0.0)
        half = half_of(d)
        for i in range(SIZE):
            packed[i] = bytes_of(rounded(x[i] * inverse))
        blocks.set_places(starts, group, count, _BYTES, 0)
        store_words(half, 2, out, starts)
        blocks.set_places(starts, group, count, _BYTES, 2)
        store_columns(packed, 0, out, starts, LANES)
        blocks.set_places(starts, group, count, _BYTES, 18)
        store_columns(packed, 16, out, starts, LANES)
        fine &= not (too_large(peak) or not_half(half))
    return fine
