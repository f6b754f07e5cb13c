"""How Q2_K, Q3_K and Q6_K lie in lanes: 2 super-blocks at a time, 16 sub-blocks of 16 each.

A byte holds bits of weights that lie 32 apart, in every second sub-block of a half: so
the lane has the quarter of the half in its upper bits (8, 16), then the super-block (4),
the half (2), and which of two neighbours it is (1).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels.jit import compiled
from qwq_gguf.quantization.kernels.memory import load_columns, places, store_columns
from qwq_gguf.quantization.kernels.numbers import absolute, larger
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
    "load_importance",
    "own",
    "spread",
    "spread_all",
    "store_quarters",
    "strongest",
    "sub_of",
]

BLOCKS = 2
SUBS = 16
SIZE = 16


@compiled
def sub_of(lane: Any) -> Any:
    """The number of a lane's sub-block in its super-block."""
    return ((lane & 2) << 2) | ((lane >> 3) << 1) | (lane & 1)


@compiled
def _fill(source: Any, group: int, count: int, cycle: int, rows: Any) -> None:
    starts = places(32)
    for lane in range(32):
        block = min(group * BLOCKS + ((lane >> 2) & 1), count - 1) % cycle
        starts[lane] = block * 256 + sub_of(lane) * SIZE
    load_columns(source, starts, rows, 0)


@compiled
def spread(value: Any, sub: int) -> Any:
    """All lanes of a super-block get the value of one of its sub-blocks."""
    bits = pick(sub_of(lane_numbers()) == sub, bits_of(value), 0)
    bits = bits | partner(bits, 1)
    bits = bits | partner(bits, 2)
    bits = bits | partner(bits, 8)
    return float_of(bits | partner(bits, 16))


load, spread_all, own, importance_weights = sub_blocks(SUBS, SIZE, sub_of, _fill, spread)


@compiled
def load_importance(importance: Any, group: int, count: int, per_row: int, rows: Any) -> None:
    """Fill rows with the weights of the columns that the group's super-blocks lie in."""
    _fill(importance, group, count, per_row, rows)


@compiled
def largest(value: Any) -> Any:
    """All lanes of a super-block get the largest of its positive numbers, or 0."""
    top = pick(value > 0.0, value, 0.0)
    top = larger(top, partner(top, 1))
    top = larger(top, partner(top, 2))
    top = larger(top, partner(top, 8))
    return larger(top, partner(top, 16))


@compiled
def _stronger(value: Any, other: Any, other_is_first: Any) -> Any:
    mine, theirs = absolute(value), absolute(other)
    return pick((theirs > mine) | ((theirs == mine) & other_is_first), other, value)


@compiled
def strongest(value: Any) -> Any:
    """All lanes of a super-block get the number of largest magnitude, of equals the first."""
    lane = lane_numbers()
    # From the lowest bit of the sub-block's number to the highest.
    value = _stronger(value, partner(value, 1), (lane & 1) != 0)
    value = _stronger(value, partner(value, 8), (lane & 8) != 0)
    value = _stronger(value, partner(value, 16), (lane & 16) != 0)
    return _stronger(value, partner(value, 2), (lane & 2) != 0)


@compiled
def store_quarters(
    packed: Any, out: Any, group: int, count: int, block_bytes: int, offset: int
) -> None:
    """Write 64 bytes for each super-block that hold 4 weights each, from the lanes 0 to 7."""
    starts = places(32)
    for lane in range(8):
        block = min(group * BLOCKS + ((lane >> 2) & 1), count - 1)
        starts[lane] = block * block_bytes + offset + ((lane >> 1) & 1) * 32 + (lane & 1) * 16
    store_columns(packed, 0, out, starts, 8)
