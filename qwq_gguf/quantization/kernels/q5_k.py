"""Q5_K: super-blocks of 8 sub-blocks of 32 weights, 5-bit levels, 6-bit scales and minimums.

176 bytes: d, dmin, 12 bytes of scales, 32 with the levels' fifth bits (bit n of byte i is
that of weight i of sub-block n), 128 with the lower four, two sub-blocks to a byte. Facts
from ggml's block_q5_K and quantize_row_q5_K_* (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels import sub_blocks_of_32 as eighths
from qwq_gguf.quantization.kernels.jit import compiled, kernel
from qwq_gguf.quantization.kernels.memory import (
    places,
    rows_of_bytes,
    rows_of_integers,
    store_columns,
)
from qwq_gguf.quantization.kernels.six_bit_scales import plain_group, store_levels, weighted_group
from qwq_gguf.quantization.kernels.sub_blocks_of_32 import BLOCKS, SIZE
from qwq_gguf.quantization.kernels.vector import bytes_of, lane_numbers, partner

__all__ = ["plain", "weighted"]

_BYTES = 176


@compiled
def _pack(codes: Any, out: Any, group: int, count: int) -> None:
    low = rows_of_bytes(SIZE)
    high = rows_of_bytes(SIZE)
    place = eighths.sub_of(lane_numbers())
    for i in range(SIZE):
        lower = codes[i] & 15
        low[i] = bytes_of(lower | (partner(lower, 16) << 4))
        bits = (codes[i] >> 4) << place
        bits = bits | partner(bits, 1)
        bits = bits | partner(bits, 2)
        high[i] = bytes_of(bits | partner(bits, 16))
    starts = places(32)
    for lane in range(16):  # four lanes of each super-block write the same
        starts[lane] = min(group * BLOCKS + (lane >> 2), count - 1) * _BYTES + 16
    store_columns(high, 0, out, starts, 16)
    for lane in range(16):
        starts[lane] += 16
    store_columns(high, 16, out, starts, 16)
    store_levels(low, out, group, count, _BYTES, 48)


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    codes = rows_of_integers(SIZE)
    count = len(source) // 256
    fine = True
    for group in range((count + BLOCKS - 1) // BLOCKS):
        fine &= plain_group(source, out, group, count, codes, 31, -0.5, 15, _BYTES)
        _pack(codes, out, group, count)
    return fine


@kernel
def weighted(source: Any, out: Any, importance: Any) -> bool:
    """The same, with a weight for each column of a row."""
    codes = rows_of_integers(SIZE)
    count = len(source) // 256
    per_row = len(importance) // 256
    fine = True
    for group in range((count + BLOCKS - 1) // BLOCKS):
        fine &= weighted_group(source, out, importance, per_row, group, count, codes, 31, _BYTES)
        _pack(codes, out, group, count)
    return fine
