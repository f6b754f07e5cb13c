"""The product of two thin matrices, the same to the bit wherever and in whatever pieces it is
computed.

Each number is summed in float64 in the order of the rank, then rounded to float32 and scaled.
A product of two float32 is exact in float64, so a fused multiply-add gives the same. The
multiplication of a linear algebra library would not do: it sums in another order on every
processor and for every shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qwq_gguf.quantization.kernels.jit import kernel

__all__ = ["multiply"]


@kernel
def multiply(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    scale: np.float32,
    sums: NDArray[np.float64],
    made: NDArray[np.float32],
) -> None:
    """`made` = left times right, times scale. left [rows, rank], right [rank, columns], `sums`
    [columns] to work in.
    """
    rows, rank = left.shape
    columns = right.shape[1]
    for row in range(rows):
        for column in range(columns):
            sums[column] = 0.0
        for step in range(rank):
            factor = np.float64(left[row, step])
            for column in range(columns):
                sums[column] += factor * np.float64(right[step, column])
        for column in range(columns):
            made[row, column] = np.float32(sums[column]) * scale
