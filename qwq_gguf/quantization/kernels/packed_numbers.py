"""Whole numbers of 2, 4 and 8 bits out of words of 32, in the three ways in use.

compressed-tensors and GPTQ put the first number into the lowest bits. AWQ puts the numbers
0, 2, 4, 6, 1, 3, 5, 7 of eight there, from the lowest bits on (`pack_intweight` of AutoAWQ,
gemm). What they come to: number less zero, times scale, in float32, as llama.cpp's converter
computes it for the first two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["AWQ_PLACES", "in_words", "weights"]

AWQ_PLACES = (0, 4, 1, 5, 2, 6, 3, 7)
"""Where in a word of AWQ the numbers 0 to 7 are."""
_SLAB = 1 << 16  # weights at a time: what is made on the way stays in the caches


def in_words(
    words: NDArray[np.uint32], bits: int, places: tuple[int, ...] | None = None
) -> NDArray[np.uint8]:
    """The numbers of each row of words, from left to right: shape [rows, 32 / bits a word]."""
    rows = len(words)
    parts = np.ascontiguousarray(words).view(np.uint8)  # the lowest bits first
    if bits == 8:
        made = parts
    else:
        a_byte = 8 // bits
        made = np.empty((rows, parts.shape[1], a_byte), np.uint8)
        for place in range(a_byte):
            made[..., place] = (parts >> (place * bits)) & ((1 << bits) - 1)
        made = made.reshape(rows, -1)
    if places is not None:
        made = made.reshape(rows, -1, len(places))[..., places].reshape(rows, -1)
    return made


def weights(
    numbers: NDArray[np.uint8],
    zeros: NDArray[np.int16],
    scales: NDArray[np.float32],
    groups: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Rows of numbers as rows of float32. `zeros` and `scales` have a column for each group;
    `groups` says of which one each column of the numbers is.
    """
    rows, width = numbers.shape
    made = np.empty((rows, width), np.float32)
    step = max(1, _SLAB // width)
    for first in range(0, rows, step):
        part = slice(first, first + step)
        values = made[part]
        np.subtract(numbers[part], zeros[part][:, groups], out=values, casting="unsafe")
        values *= scales[part][:, groups]
    return made.view(np.uint8)
