"""Q5_1: blocks of 32 weights, 5-bit levels, a scale and a minimum.

24 bytes: d and m in half precision, 4 bytes with the levels' fifth bits (bit i is that
of weight i), 16 bytes with the lower four, weight i with weight i + 16. Facts from
ggml's block_q5_1, quantize_row_q5_1_ref and quantize_row_q5_1_impl (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels import nearest_levels, searched_levels
from qwq_gguf.quantization.kernels.jit import kernel

__all__ = ["plain", "weighted"]

_BYTES = 24


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    return nearest_levels.affine(source, out, 31, True, _BYTES)


# The same, with a weight for each column of a row.
weighted = searched_levels.affine(31, True, _BYTES)
