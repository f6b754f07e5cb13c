"""TQ2_0: blocks of 256 weights, each -1, 0 or 1 times one scale, in two bits.

66 bytes: 64 with levels, d in half precision. Byte i of either half has the weights i, i + 32,
i + 64 and i + 96 of its 128. Facts from ggml's block_tq2_0 and quantize_row_tq2_0_ref
(llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels.jit import compiled, kernel
from qwq_gguf.quantization.kernels.one_block import store_block
from qwq_gguf.quantization.kernels.ternary import blocks, levels
from qwq_gguf.quantization.kernels.vector import LANES, bytes_of

__all__ = ["plain"]

_BYTES, _SCALE = 66, 64


@compiled
def _pack(source: Any, at: int, inverse: Any, out: Any, to: int) -> None:
    for side in range(2):
        start = at + side * 4 * LANES
        packed = levels(source, start, inverse)
        for part in range(1, 4):
            packed = packed | (levels(source, start + part * LANES, inverse) << (2 * part))
        store_block(bytes_of(packed), out, to + side * LANES)


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    return blocks(source, out, _BYTES, _SCALE, _pack)
