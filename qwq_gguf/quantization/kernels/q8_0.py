"""Q8_0: blocks of 32 weights, 8-bit levels, one scale.

34 bytes: d in half precision, 32 signed levels. Facts from ggml's block_q8_0 and
quantize_row_q8_0_ref (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels.blocks import SIZE, set_places
from qwq_gguf.quantization.kernels.jit import kernel
from qwq_gguf.quantization.kernels.memory import (
    places,
    rows_of_floats,
    rows_of_integers,
    store_words,
)
from qwq_gguf.quantization.kernels.numbers import (
    absolute,
    finite,
    half_of,
    not_half,
    rounded,
    too_large,
)
from qwq_gguf.quantization.kernels.one_block import (
    fetch,
    highest,
    lane_of,
    load_block,
    set_lane,
    store_block,
)
from qwq_gguf.quantization.kernels.vector import LANES, bits_of, bytes_of, float_of, pick

__all__ = ["plain"]

_BYTES = 34
_AHEAD = 2 * LANES * SIZE  # weights from here to those that should be on their way


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
        for lane in range(here):
            start = (first + lane) * SIZE
            fetch(source, start + _AHEAD)
            set_lane(peaks, 0, lane, highest(bits_of(absolute(load_block(source, start)))))
        for lane in range(here, LANES):
            set_lane(peaks, 0, lane, lane_of(peaks, 0, here - 1))
        d = float_of(peaks[0]) / 127.0
        # Where 1 / d is infinite, C rounds infinities and NaN to bytes of 0.
        inverses[0] = finite(pick(d != 0.0, 1.0 / d, 0.0))
        half = half_of(d)
        set_places(starts, group, count, _BYTES, 0)
        store_words(half, 2, out, starts)
        for lane in range(here):
            block = first + lane
            scaled = load_block(source, block * SIZE) * lane_of(inverses, 0, lane)
            store_block(bytes_of(rounded(scaled)), out, block * _BYTES + 2)
        fine &= not (too_large(peaks[0]) or not_half(half))
    return fine
