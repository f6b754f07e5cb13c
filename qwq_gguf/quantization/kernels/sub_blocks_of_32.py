"""How Q4_K and Q5_K lie in lanes: 4 super-blocks at a time, 8 sub-blocks of 32 weights each.

Lane 4 * block + sub // 2 holds an even sub-block, 16 lanes further is the odd one after
it: their levels share bytes. The lanes of one super-block differ in the bits 1, 2 and 16.
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels.jit import compiled
from qwq_gguf.quantization.kernels.memory import load_columns, places
from qwq_gguf.quantization.kernels.numbers import larger
from qwq_gguf.quantization.kernels.sub_blocks import sub_blocks
from qwq_gguf.quantization.kernels.vector import (
    bits_of,
    float_of,
    lane_numbers,
    partner,
    pick,
)

__all__ = [
    "BLOCKS",
    "SIZE",
    "SUBS",
    "importance_weights",
    "largest",
    "load",
    "own",
    "spread",
    "spread_all",
    "sub_of",
]

BLOCKS = 4
SUBS = 8
SIZE = 32


@compiled
def sub_of(lane: Any) -> Any:
    """The number of a lane's sub-block in its super-block."""
    return ((lane & 3) << 1) | ((lane >> 4) & 1)


@compiled
def _fill(source: Any, group: int, count: int, cycle: int, rows: Any) -> None:
    starts = places(32)
    for lane in range(32):
        block = min(group * BLOCKS + ((lane >> 2) & 3), count - 1) % cycle
        starts[lane] = block * 256 + sub_of(lane) * SIZE
    load_columns(source, starts, rows, 0)
    for lane in range(32):
        starts[lane] += 16
    load_columns(source, starts, rows, 16)


@compiled
def spread(value: Any, sub: int) -> Any:
    """All lanes of a super-block get the value of one of its sub-blocks."""
    bits = pick(sub_of(lane_numbers()) == sub, bits_of(value), 0)
    bits = bits | partner(bits, 1)
    bits = bits | partner(bits, 2)
    return float_of(bits | partner(bits, 16))


load, spread_all, own, importance_weights = sub_blocks(SUBS, SIZE, sub_of, _fill, spread)


@compiled
def largest(value: Any) -> Any:
    """All lanes of a super-block get the largest of its positive numbers, or 0."""
    top = pick(value > 0.0, value, 0.0)
    top = larger(top, partner(top, 1))
    top = larger(top, partner(top, 2))
    return larger(top, partner(top, 16))
