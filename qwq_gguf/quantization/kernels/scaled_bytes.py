"""Numbers of one byte times their scales, as BF16: FP8 weights, and whole numbers.

FP8 is that of the OCP specification (arXiv 2209.05433): E4M3 without infinities, which is NaN
where all bits but the sign are set, and E5M2, which is half precision cut short. A product is
computed in float32 and rounded to the nearest BF16, ties to even, as llama.cpp's converter
does for its BF16 file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["FACTORS", "numbers", "scaled"]

_SLAB = 1 << 16  # weights at a time: what is made on the way stays in the caches


@dataclass(frozen=True, slots=True)
class _Factor:
    """A type of scales: its bytes, and how they are read."""

    itemsize: int
    read: Callable[[bytes], NDArray[np.float32]]


def _bf16(raw: bytes) -> NDArray[np.float32]:
    return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)


def _exponents(raw: bytes) -> NDArray[np.float32]:
    exponents = np.frombuffer(raw, np.uint8).astype(np.int32) - 127
    return np.ldexp(np.float32(1), exponents).astype(np.float32)


FACTORS = {
    "F32": _Factor(4, lambda raw: np.frombuffer(raw, "<f4")),
    "F16": _Factor(2, lambda raw: np.frombuffer(raw, "<f2").astype(np.float32)),
    "BF16": _Factor(2, _bf16),
    "F8_E8M0": _Factor(1, _exponents),
}
"""The types in which scales are saved, by safetensors' names."""


@cache
def numbers(dtype: str) -> NDArray[np.float32]:
    """What each of the 256 bytes means."""
    codes = np.arange(256, dtype=np.uint32)
    if dtype == "I8":
        return codes.astype(np.uint8).view(np.int8).astype(np.float32)
    if dtype == "F8_E5M2":
        return (codes << 8).astype(np.uint16).view(np.float16).astype(np.float32)
    # The exponent counts from 7, float32's from 127; the factor is right for subnormals too.
    magnitude = ((codes & 0x7F) << 20).view(np.float32) * np.float32(2.0**120)
    magnitude[(codes & 0x7F) == 0x7F] = np.nan
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.float32)


def scaled(
    rows: NDArray[np.uint8], dtype: str, factors: NDArray[np.float32], columns: int
) -> NDArray[np.uint8]:
    """Rows of bytes as rows of BF16. `factors` has one for each row and `columns` of it."""
    count, width = rows.shape
    made = np.empty((count, width), dtype="<u2")
    table = numbers(dtype)
    step = max(1, _SLAB // width)
    for first in range(0, count, step):
        part = slice(first, first + step)
        values = table[rows[part]]
        wide = factors[part]
        if wide.shape[1] > 1:
            wide = np.repeat(wide, columns, axis=1)[:, :width]
        values *= wide
        _round(values, made[part])
    return made.view(np.uint8)


def _round(values: NDArray[np.float32], made: NDArray[np.uint16]) -> None:
    bits = values.view(np.uint32)
    not_numbers = np.isnan(values)
    odd = (bits >> 16) & 1
    odd += 0x7FFF
    odd += bits
    odd >>= 16
    made[...] = odd
    if not_numbers.any():
        made[not_numbers] = 0x7FC0
