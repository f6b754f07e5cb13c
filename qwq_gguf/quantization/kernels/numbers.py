"""Rounding as ggml does it, on vectors: to integers and to half precision."""

from __future__ import annotations

from typing import Any

from qwq_gguf.quantization.kernels.jit import compiled
from qwq_gguf.quantization.kernels.vector import (
    any_of,
    bits_of,
    float_of,
    floats_of,
    integers_of,
    pick,
)

__all__ = [
    "absolute",
    "clamped",
    "cut",
    "finite",
    "from_half",
    "half_of",
    "larger",
    "level",
    "nearest",
    "negated",
    "not_half",
    "rounded",
    "signed_byte",
    "smaller",
    "too_large",
]

_SHIFTER = 12582912.0  # 1.5 * 2**23: a float there has no room for a fraction
_TO_INFINITY = 2.0**112
_TO_ZERO = 2.0**-110
_LARGEST_BITS = 0x4E6E6B28  # of 1e9, the LARGEST_WEIGHT of ggml.py


@compiled
def absolute(value: Any) -> Any:
    """The magnitudes of floats."""
    return float_of(bits_of(value) & 0x7FFFFFFF)


@compiled
def negated(value: Any) -> Any:
    """The floats with the other sign, zeros included."""
    return float_of(bits_of(value) ^ 0x80000000)


@compiled
def larger(one: Any, other: Any) -> Any:
    """Lane by lane; `other` where a NaN cannot be compared."""
    return pick(one > other, one, other)


@compiled
def smaller(one: Any, other: Any) -> Any:
    """Lane by lane; `other` where a NaN cannot be compared."""
    return pick(one < other, one, other)


@compiled
def nearest(value: Any) -> Any:
    """The nearest integers, ties to even, up to 2**22; beyond, what the bits of ggml's sum say."""
    return (bits_of(value + _SHIFTER) & 0x007FFFFF) - 0x00400000


@compiled
def clamped(value: Any, least: int, most: int) -> Any:
    """Integers within bounds."""
    return larger(smaller(value, most), least)


@compiled
def level(value: Any, least: int, most: int) -> Any:
    """The nearest integers within bounds, as floats."""
    return floats_of(clamped(nearest(value), least, most))


@compiled
def half_of(value: Any) -> Any:
    """The bits of floats in half precision, rounded to nearest even, in integer lanes."""
    bits = bits_of(value)
    base = (absolute(value) * _TO_INFINITY) * _TO_ZERO  # too large becomes infinite
    doubled = bits << 1
    bias = doubled & -0x1000000  # the exponent; unsigned, so never compare it as it is
    exponent = larger(bias >> 1, 0x71000000 >> 1)
    # Adding a power of two pushes the surplus digits out, rounding them as it does.
    rounded = bits_of(float_of(exponent + 0x07800000) + base)
    magnitude = ((rounded >> 13) & 0x7C00) + (rounded & 0x0FFF)
    is_nan = (bits & 0x7FFFFFFF) > 0x7F800000
    return ((bits >> 16) & 0x8000) | pick(is_nan, 0x7E00, magnitude)


@compiled
def from_half(bits: Any) -> Any:
    """Finite half-precision numbers, given by their bits, as floats."""
    magnitude = float_of((bits & 0x7FFF) << 13) * _TO_INFINITY
    return float_of(bits_of(magnitude) | ((bits & 0x8000) << 16))


@compiled
def cut(value: Any) -> Any:
    """Integers without the fraction; 0 for what no integer is, as x86 leaves in the low bytes."""
    return integers_of(pick(absolute(value) < 4194304.0, value, 0.0))


@compiled
def rounded(value: Any) -> Any:
    """The nearest integers, ties away from zero, as C's roundf; they must fit."""
    # The largest float below a half: a half itself would round 0.49999997 up.
    nearly_half = float_of(bits_of(value) & 0x80000000 | 0x3EFFFFFF)
    return integers_of(value + nearly_half)


@compiled
def finite(value: Any) -> Any:
    """Floats, and 0 for infinities and NaN."""
    return pick(absolute(value) < float("inf"), value, 0.0)


@compiled
def signed_byte(value: Any) -> Any:
    """What is left of integers when C keeps them in a signed byte."""
    return ((value + 128) & 255) - 128


@compiled
def too_large(peak: Any) -> Any:
    """Whether some weight is NaN or beyond what ggml is trusted with, by the bits of magnitudes."""
    return any_of(peak > _LARGEST_BITS)


@compiled
def not_half(bits: Any) -> Any:
    """Whether half precision could not hold some of the numbers that became these bits."""
    return any_of((bits & 0x7C00) == 0x7C00)
