"""Q5_K: super-blocks of 8 sub-blocks of 32 weights, 5-bit levels, 6-bit scales and minimums.

176 bytes: d, dmin, 12 bytes of scales, 32 with the levels' fifth bits (bit n of byte i is
that of weight i of sub-block n), 128 with the lower four, two sub-blocks to a byte. Facts
from ggml's block_q5_K and quantize_row_q5_K_* (llama.cpp, ggml/src).
"""

from __future__ import annotations

from qwq_gguf.quantization.kernels.six_bit_scales import kernels

__all__ = ["plain", "weighted"]

plain, weighted = kernels(5, first=-0.5, steps=15, size=176)
