"""TQ1_0: blocks of 256 weights, each -1, 0 or 1 times one scale, five in a byte.

54 bytes: 48 with five levels each, 4 with four, d in half precision. A byte is a fraction of 256
in base 3, rounded up, whose first digit is the first weight's. Byte i has the weights i + 32 n
(the first 32), 160 + i + 16 n (16 more) or 240 + i + 4 n. Facts from ggml's block_tq1_0 and
quantize_row_tq1_0_ref (llama.cpp, ggml/src).
"""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels.jit import compiled, kernel
from qwq_gguf.quantization.kernels.one_block import store_block, value_at
from qwq_gguf.quantization.kernels.ternary import SIZE, blocks, levels
from qwq_gguf.quantization.kernels.vector import LANES, bytes_of

__all__ = ["plain"]

_BYTES, _SCALE = 54, 52
_SHORT, _LAST = 5 * LANES, SIZE - 16  # where the weights of the shorter runs begin


@compiled
def _fraction(digits: Any) -> Any:
    """256 times a number of five digits in base 3 over 243, rounded up. 256 is 243 and 13, and
    to divide by 243 is to multiply with 4316 / 2**20 here.
    """
    return digits + (((digits * 13 + 242) * 4316) >> 20)


@compiled
def _five(source: Any, start: int, step: int, inverse: Any) -> Any:
    """Bytes for every fifth run of weights, as integers."""
    digits = levels(source, start, inverse)
    for part in range(1, 5):
        digits = digits * 3 + levels(source, start + part * step, inverse)
    return _fraction(digits)


@compiled
def _pack(source: Any, at: int, inverse: Any, out: Any, to: int) -> None:
    store_block(bytes_of(_five(source, at, LANES, inverse)), out, to)
    short = _five(source, at + _SHORT, 16, inverse)  # half of its lanes are of no use
    for i in range(16):
        out[to + 32 + i] = value_at(short, i)
    last = levels(source, at + _LAST - 16, inverse)
    for i in range(4):
        digits = 0
        for part in range(4):
            digits = digits * 3 + value_at(last, 16 + i + 4 * part)
        out[to + 48 + i] = _fraction(digits * 3)


@kernel
def plain(source: Any, out: Any) -> bool:
    """Stored weights to blocks; False if a weight or a scale does not fit."""
    return blocks(source, out, _BYTES, _SCALE, _pack)
