"""MXFP4 as gpt-oss saves it, to ggml's blocks: bits change places, no number changes.

Both have a scale for 32 weights, an exponent in a byte (E8M0 of the OCP Microscaling Formats
specification, 1.0), and 16 bytes with two weights each. There byte j has the weights 2j and
2j + 1, the first in the low bits; in ggml's `block_mxfp4` (ggml-common.h) it has the weights
j and j + 16, and the scale stands in front.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["packed"]

_HALF = 16


def packed(weights: NDArray[np.uint8], scales: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blocks of rows: `weights` has 16 bytes a block, `scales` one; 17 come out."""
    rows, blocks = scales.shape
    pairs = weights.reshape(rows, blocks, _HALF)
    made = np.empty((rows, blocks, 1 + _HALF), dtype=np.uint8)
    made[..., 0] = scales
    # Of each pair of halves the even places come out of low bits, the odd ones out of high.
    left, right = pairs[..., : _HALF // 2], pairs[..., _HALF // 2 :]
    made[..., 1::2] = (left & 0x0F) | (right << 4)
    made[..., 2::2] = (left >> 4) | (right & 0xF0)
    return made.reshape(rows, -1)
