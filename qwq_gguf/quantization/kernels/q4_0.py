"""Q4_0: blocks of 32 weights, 4-bit levels, one scale.

18 bytes: d in half precision, 16 bytes of levels, weight i with weight i + 16. Without
importance the scale takes the largest weight to level 0. Facts from ggml's block_q4_0,
quantize_row_q4_0_ref and quantize_row_q4_0_impl (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels import nearest_levels, searched_levels
from qwq_gguf.quantization.kernels.jit import kernel

__all__ = ["plain", "weighted"]

_BYTES = 18


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    return nearest_levels.symmetric(source, out, 8, False, _BYTES)


# The same, with a weight for each column of a row.
weighted = searched_levels.symmetric(8, False, _BYTES)
