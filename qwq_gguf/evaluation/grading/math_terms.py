r"""What a formula is here: nested tuples of texts. Pure.

("num", "3", "4") is 3/4; ("name", "x"); ("add", a, b),
("mul", a, b), ("pow", a, b); ("call", "sin", a), ("log", base, a); ("pm", a) is plus or minus a;
("tuple", "(", ")", items...), ("set", items...), ("list", items...), ("matrix", rows...) with
("row", items...); ("rel", "=", a, b); ("deg", a) and ("percent", a).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

__all__ = ["Tree", "inverse", "negative", "number"]

Tree: TypeAlias = tuple[Any, ...]


def negative(tree: Tree) -> Tree:
    """Minus a tree."""
    if tree[0] == "num":
        return ("num", str(-int(tree[1])), tree[2])
    return ("mul", ("num", "-1", "1"), tree)


def inverse(tree: Tree) -> Tree:
    """One over a tree."""
    return ("pow", tree, ("num", "-1", "1"))


def number(text: str) -> Tree:
    """A decimal as an exact fraction."""
    value = Fraction(text if text[-1] != "." else text[:-1])
    return ("num", str(value.numerator), str(value.denominator))
