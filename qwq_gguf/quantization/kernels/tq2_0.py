"""TQ2_0: blocks of 256 weights, each -1, 0 or 1 times one scale, in two bits.

66 bytes: 64 with levels, d in half precision. Byte i of either half has the weights i, i + 32,
i + 64 and i + 96 of its 128. Facts from ggml's block_tq2_0 and quantize_row_tq2_0_ref
(llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels.blocks import set_places
from qwq_gguf.quantization.kernels.jit import kernel
from qwq_gguf.quantization.kernels.memory import (
    places,
    rows_of_floats,
    rows_of_integers,
    store_words,
)
from qwq_gguf.quantization.kernels.numbers import half_of, not_half, too_large
from qwq_gguf.quantization.kernels.one_block import lane_of, store_block
from qwq_gguf.quantization.kernels.ternary import SIZE, levels, scales
from qwq_gguf.quantization.kernels.vector import LANES, bytes_of, float_of

__all__ = ["plain"]

_BYTES, _LEVELS = 66, 64


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    peaks = rows_of_integers(1)
    inverses = rows_of_floats(1)
    starts = places(32)
    count = len(source) // SIZE
    fine = True
    for group in range((count + LANES - 1) // LANES):
        first = group * LANES
        here = min(LANES, count - first)
        scales(source, first, here, peaks, inverses)
        half = half_of(float_of(peaks[0]))
        set_places(starts, group, count, _BYTES, _LEVELS)
        store_words(half, 2, out, starts)
        for lane in range(here):
            inverse = lane_of(inverses, 0, lane)
            for side in range(2):
                at = (first + lane) * SIZE + side * 4 * LANES
                packed = levels(source, at, inverse)
                for part in range(1, 4):
                    packed = packed | (levels(source, at + part * LANES, inverse) << (2 * part))
                store_block(bytes_of(packed), out, (first + lane) * _BYTES + side * LANES)
        fine &= not (too_large(peaks[0]) or not_half(half))
    return fine
