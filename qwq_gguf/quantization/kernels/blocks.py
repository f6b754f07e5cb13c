"""How the formats without super-blocks lie in lanes: LANES blocks of 32 weights at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from qwq_gguf.quantization.kernels.jit import compiled
from qwq_gguf.quantization.kernels.memory import (
    fetch_ahead,
    gathered,
    load_columns,
    places,
    rows_of_bytes,
    rows_of_floats,
    scattered,
    store_columns,
    store_words,
)
from qwq_gguf.quantization.kernels.numbers import absolute, larger
from qwq_gguf.quantization.kernels.vector import LANES, bits_of, bytes_of, pick, square_root, vector

__all__ = [
    "SIZE",
    "importance_weights",
    "load",
    "mean_squares",
    "set_places",
    "store_five_bits",
    "store_four_bits",
    "store_header",
    "strongest",
]

SIZE = 32
_AHEAD = 2 * LANES * SIZE
"""Weights from here to those to fetch: the CPU itself sees too late that groups follow."""


@compiled
def set_places(starts: Any, group: int, count: int, stride: int, offset: int) -> None:
    """Where each lane's block is; past the last block, it repeats."""
    first = group * LANES
    if first + LANES <= count:
        for lane in range(LANES):
            starts[lane] = (first + lane) * stride + offset
    else:
        for lane in range(LANES):
            starts[lane] = min(first + lane, count - 1) * stride + offset


@compiled
def load(source: Any, group: int, count: int, rows: Any) -> Any:
    """Fill rows with the weights of a group; returns the bits of each lane's largest magnitude."""
    starts = places(32)
    set_places(starts, group, count, SIZE, 0)
    load_columns(source, starts, rows, 0)
    fetch_ahead(source, starts, _AHEAD)
    set_places(starts, group, count, SIZE, 16)
    load_columns(source, starts, rows, 16)
    peak = bits_of(absolute(rows[0]))
    for i in range(1, SIZE):
        peak = larger(bits_of(absolute(rows[i])), peak)
    return peak


@compiled
def strongest(rows: Any) -> Any:
    """The number of largest magnitude in each lane, of equals the first; 0 if all are 0."""
    peak = vector(np.float32(0))
    magnitude = vector(np.float32(0))
    for i in range(SIZE):
        here = absolute(rows[i])
        peak = pick(here > magnitude, rows[i], peak)
        magnitude = pick(here > magnitude, here, magnitude)
    return peak


@compiled
def store_header(
    values: Any, size: int, out: Any, group: int, count: int, stride: int, offset: int
) -> None:
    """Write the low bytes of each lane's integer into its block."""
    starts = places(32)
    set_places(starts, group, count, stride, offset)
    store_words(values, size, out, starts)


@compiled
def store_four_bits(codes: Any, out: Any, group: int, count: int, stride: int, offset: int) -> None:
    """Write 16 bytes: weight i in the lower half of byte i, weight i + 16 in the upper."""
    starts = places(32)
    packed = rows_of_bytes(16)
    for i in range(16):
        packed[i] = bytes_of((codes[i] & 15) | ((codes[i + 16] & 15) << 4))
    set_places(starts, group, count, stride, offset)
    store_columns(packed, 0, out, starts, LANES)


@compiled
def store_five_bits(codes: Any, out: Any, group: int, count: int, stride: int, offset: int) -> None:
    """Write 4 bytes with each weight's fifth bit, then as `store_four_bits`."""
    high = vector(np.int32(0))
    for i in range(SIZE):
        high = high | ((codes[i] >> 4) & 1) << i
    store_header(high, 4, out, group, count, stride, offset)
    store_four_bits(codes, out, group, count, stride, offset + 4)


@compiled
def mean_squares(source: Any, length: int, result: Any) -> None:
    """The mean square of each row, added up from left to right; LANES rows side by side."""
    starts = places(32)
    x = rows_of_floats(16)
    count = len(result)
    for group in range((count + LANES - 1) // LANES):
        total = vector(np.float32(0))
        for column in range(0, length, 16):
            set_places(starts, group, count, length, column)
            load_columns(source, starts, x, 0)
            for i in range(16):
                total = total + x[i] * x[i]
        set_places(starts, group, count, 1, 0)
        scattered(total / np.float32(length), result, starts)


@compiled
def importance_weights(
    importance: Any, variances: Any, group: int, count: int, x: Any, rows: Any
) -> None:
    """Fill rows with importance * sqrt(mean square of the row + square)."""
    starts = places(32)
    per_row = len(importance) // SIZE
    for lane in range(LANES):
        starts[lane] = min(group * LANES + lane, count - 1) // per_row
    variance = gathered(variances, starts)
    for lane in range(LANES):
        starts[lane] = min(group * LANES + lane, count - 1) % per_row * SIZE
    load_columns(importance, starts, rows, 0)
    for lane in range(LANES):
        starts[lane] += 16
    load_columns(importance, starts, rows, 16)
    for i in range(SIZE):
        rows[i] = rows[i] * square_root(variance + x[i] * x[i])
