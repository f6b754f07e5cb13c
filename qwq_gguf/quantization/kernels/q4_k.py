"""Q4_K: super-blocks of 8 sub-blocks of 32 weights, 4-bit levels, 6-bit scales and minimums.

144 bytes: d, dmin, 12 bytes of scales, 128 of levels, two sub-blocks to a byte. Facts
from ggml's block_q4_K and quantize_row_q4_K_* (llama.cpp, ggml/src).
"""

from __future__ import annotations

from qwq_gguf.quantization.kernels.six_bit_scales import kernels

__all__ = ["plain", "weighted"]

plain, weighted = kernels(4, first=-1.0, steps=20, size=144)
