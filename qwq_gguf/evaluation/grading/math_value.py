"""What a formula comes to: exactly where it is a fraction, else as a complex number. Pure."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from qwq_gguf.evaluation.grading.math_terms import Tree

__all__ = ["exact", "names_in", "value"]

_MOST_BITS = 4_096
_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin, "cos": cmath.cos, "tan": cmath.tan, "asin": cmath.asin, "acos": cmath.acos,
    "atan": cmath.atan, "sinh": cmath.sinh, "cosh": cmath.cosh, "tanh": cmath.tanh,
    "log": cmath.log, "exp": cmath.exp, "abs": abs,
    "cot": lambda z: 1 / cmath.tan(z), "sec": lambda z: 1 / cmath.cos(z),
    "csc": lambda z: 1 / cmath.sin(z),
}  # fmt: skip


def names_in(tree: Tree) -> set[str]:
    """The symbols of a tree, without pi, e, i and infinity where those are meant."""
    if tree[0] == "name":
        return set() if tree[1] in ("pi", "oo", "e", "i") else {tree[1]}
    return set().union(*(names_in(part) for part in tree[1:] if isinstance(part, tuple)))


def exact(tree: Tree) -> Fraction | None:
    """The fraction that a tree is; None where it is none, or an immense one."""
    kind = tree[0]
    if kind == "num":
        return Fraction(int(tree[1]), int(tree[2]))
    if kind not in ("add", "mul", "pow"):
        return None
    a, b = exact(tree[1]), exact(tree[2])
    if a is None or b is None:
        return None
    if kind == "add":
        return _bounded(a + b)
    if kind == "mul":
        return _bounded(a * b)
    if b.denominator != 1 or (a == 0 and b < 0):
        return None
    size = max(abs(a.numerator), a.denominator).bit_length() * abs(b.numerator)
    return Fraction(a**b.numerator) if size <= _MOST_BITS else None


def _bounded(number: Fraction) -> Fraction | None:
    size = max(number.numerator.bit_length(), number.denominator.bit_length())
    return number if size <= _MOST_BITS else None


def value(tree: Tree, names: Mapping[str, complex]) -> complex | None:
    """What a tree comes to with these values of its symbols; None where it has no value."""
    try:
        found = _value(tree, names)
    except (ArithmeticError, ValueError, KeyError, TypeError):
        return None
    return found if cmath.isfinite(found) else None


def _value(tree: Tree, names: Mapping[str, complex]) -> complex:
    match tree[0]:
        case "num":
            return complex(int(tree[1]) / int(tree[2]))
        case "name":
            constants = {"pi": math.pi, "e": math.e, "i": 1j}
            return complex(names[tree[1]] if tree[1] in names else constants[tree[1]])
        case "add":
            return _value(tree[1], names) + _value(tree[2], names)
        case "mul":
            return _value(tree[1], names) * _value(tree[2], names)
        case "pow":
            return complex(_value(tree[1], names) ** _value(tree[2], names))
        case "log":
            return cmath.log(_value(tree[2], names)) / cmath.log(_value(tree[1], names))
        case "call" if tree[1] == "factorial":
            inside = _value(tree[2], names)
            if inside.imag or inside.real != int(inside.real) or not 0 <= inside.real <= 170:
                raise ValueError
            return complex(math.factorial(int(inside.real)))
        case "call":
            return complex(_FUNCTIONS[tree[1]](_value(tree[2], names)))
        case "call2":
            a, b = (_value(part, names).real for part in tree[2:])
            if not 0 <= b <= a <= 1000 or a != int(a) or b != int(b):
                raise ValueError
            return complex(math.comb(int(a), int(b)))
    raise ValueError(tree[0])
