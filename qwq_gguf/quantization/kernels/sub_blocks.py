"""What sub-blocks of 16 and of 32 weights have in common, once it is settled how they lie in lanes.

The functions are made for each of them, and compiled into what calls them: sizes are numbers that
the compiler knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from qwq_gguf.quantization.kernels.jit import compiled
from qwq_gguf.quantization.kernels.numbers import absolute, larger
from qwq_gguf.quantization.kernels.vector import (
    bits_of,
    lane_numbers,
    pick,
    square_root,
    vector,
)

__all__ = ["SubBlocks", "sub_blocks"]


class SubBlocks(NamedTuple):
    """What `sub_blocks` makes."""

    load: Callable[..., Any]
    spread_all: Callable[..., None]
    own: Callable[..., Any]
    importance_weights: Callable[..., Any]


def sub_blocks(
    subs: int,
    size: int,
    sub_of: Callable[[Any], Any],
    fill: Callable[[Any, int, int, int, Any], None],
    spread: Callable[[Any, int], Any],
) -> SubBlocks:
    """For super-blocks of `subs` sub-blocks of `size` weights. Of how they lie in lanes come:

    `sub_of` a lane, the number of its sub-block; `fill(source, group, count, cycle, rows)`, which
    reads a group of super-blocks, those past the last as the last, every `cycle` anew; and
    `spread(value, sub)`, which gives all lanes of a super-block the value of that sub-block.
    """

    @compiled
    def load(source: Any, group: int, count: int, rows: Any) -> Any:
        """Fill rows with the weights of a group of super-blocks; past the last one, it repeats.

        Returns the bits of the largest magnitude in each lane.
        """
        fill(source, group, count, count, rows)
        peak = bits_of(absolute(rows[0]))
        for i in range(1, size):
            peak = larger(bits_of(absolute(rows[i])), peak)
        return peak

    @compiled
    def spread_all(value: Any, rows: Any) -> None:
        """rows[sub] = `spread(value, sub)` for all sub-blocks."""
        for sub in range(subs):
            rows[sub] = spread(value, sub)

    @compiled
    def own(rows: Any) -> Any:
        """Each lane's value of the row of its sub-block: what undoes `spread_all`."""
        mine = sub_of(lane_numbers())
        result = rows[0]
        for sub in range(1, subs):
            result = pick(mine == sub, rows[sub], result)
        return result

    @compiled
    def importance_weights(
        importance: Any, group: int, count: int, per_row: int, factor: float, x: Any, rows: Any
    ) -> Any:
        """Fill rows with importance * sqrt(factor * mean square of the super-block + square).

        Returns the sums over the sub-blocks. The squares are added in ggml's order, sub-block
        after sub-block: the lanes take turns.
        """
        fill(importance, group, count, per_row, rows)
        total = vector(np.float32(0))
        for sub in range(subs):
            for i in range(size):
                total = total + x[i] * x[i]
            total = spread(total, sub)
        variance = total * np.float32(factor) / 256.0
        sums = vector(np.float32(0))
        for i in range(size):
            weight = rows[i] * square_root(variance + x[i] * x[i])
            rows[i] = weight
            sums = sums + weight
        return sums

    return SubBlocks(load, spread_all, own, importance_weights)
