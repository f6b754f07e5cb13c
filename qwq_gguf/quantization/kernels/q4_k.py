"""Q4_K: super-blocks of 8 sub-blocks of 32 weights, 4-bit levels, 6-bit scales and minimums.

144 bytes: d, dmin, 12 bytes of scales, 128 of levels, two sub-blocks to a byte. Facts
from ggml's block_q4_K and quantize_row_q4_K_* (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels.jit import compiled, kernel
from qwq_gguf.quantization.kernels.memory import rows_of_bytes, rows_of_integers
from qwq_gguf.quantization.kernels.six_bit_scales import plain_group, store_levels, weighted_group
from qwq_gguf.quantization.kernels.sub_blocks_of_32 import BLOCKS, SIZE
from qwq_gguf.quantization.kernels.vector import bytes_of, partner

__all__ = ["plain", "weighted"]

_BYTES = 144


@compiled
def _pack(codes: Any, out: Any, group: int, count: int) -> None:
    packed = rows_of_bytes(SIZE)
    for i in range(SIZE):
        packed[i] = bytes_of(codes[i] | (partner(codes[i], 16) << 4))
    store_levels(packed, out, group, count, _BYTES, 16)


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    codes = rows_of_integers(SIZE)
    count = len(source) // 256
    fine = True
    for group in range((count + BLOCKS - 1) // BLOCKS):
        fine &= plain_group(source, out, group, count, codes, 15, -1.0, 20, _BYTES)
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
        fine &= weighted_group(source, out, importance, per_row, group, count, codes, 15, _BYTES)
        _pack(codes, out, group, count)
    return fine
