"""Whether two formulas are the same mathematics.

Lists, sets, intervals, matrices and relations are compared by their parts. Two numbers or terms
are compared as fractions where they are such, then at a few places: where they differ there they
differ. Where they agree, sympy has the last word, in a child that is bounded.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from qwq_gguf.errors import EvaluationError
from qwq_gguf.evaluation.grading.child import ask_child
from qwq_gguf.evaluation.grading.math_terms import Tree, inverse, negative
from qwq_gguf.evaluation.grading.math_value import exact, names_in, value

__all__ = ["same"]

_PLACES = 6
_MOST_ITEMS = 60
_TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}


def same(given: Tree, wanted: Tree, *, ordered: bool | None = None) -> bool:
    """Whether `given` is what is `wanted`. `ordered` says whether the order of a list counts;
    unless said, it does in tuples only.

    EvaluationError without sympy.
    """
    given, wanted = _spread(_rows(given)), _spread(_rows(wanted))
    kinds = (given[0], wanted[0])
    if wanted[0] == "rel":
        return _same_relation(given, wanted)
    if given[0] == "rel" and given[1] == "=":  # x = 5 where 5 is wanted
        return same(given[3], wanted, ordered=ordered)
    if set(kinds) == {"tuple", "list"} and (given if given[0] == "tuple" else wanted)[1] == "(":
        return _same_point(given, wanted)
    if {"set", "list"} & set(kinds) and not {"both", "union"} & set(kinds):
        one, two = _items(given), _items(wanted)
        if one is None or two is None:
            return False
        return _in_order(one, two) if ordered else _matched(one, two)
    if "tuple" in kinds:
        if given[0] != wanted[0] or given[1:3] != wanted[1:3]:
            return False
        if ordered is False:
            return _matched(list(given[3:]), list(wanted[3:]))
        return _in_order(given[3:], wanted[3:])
    if {"matrix", "row", "union", "both"} & set(kinds):
        return given[0] == wanted[0] and _in_order(given[1:], wanted[1:])
    return _same_term(given, wanted)


def _rows(tree: Tree) -> Tree:
    """Lists of lists as the matrix that they are: [[2, 0], [0, 4]]."""
    if tree[0] != "tuple" or tree[1:3] != ("[", "]") or len(tree) < 4:
        return tree
    if not all(row[0] == "tuple" and row[1:3] == ("[", "]") for row in tree[3:]):
        return tree
    return ("matrix", *(("row", *row[3:]) for row in tree[3:]))


def _spread(tree: Tree) -> Tree:
    """A tree with plus-or-minus as the two that it stands for."""
    if not _has(tree, "pm"):
        return tree
    if tree[0] in ("list", "set"):
        items: list[Tree] = []
        for item in tree[1:]:
            one = _spread(item)
            items += one[1:] if one[0] == "set" and item[0] != "set" else [one]
        return (tree[0], *items)
    if tree[0] == "rel":
        return _spread(tree[3]) if tree[1] == "=" else tree
    return ("set", _signed(tree, plus=True), _signed(tree, plus=False))


def _has(tree: Tree, kind: str) -> bool:
    return tree[0] == kind or any(_has(p, kind) for p in tree[1:] if isinstance(p, tuple))


def _signed(tree: Tree, *, plus: bool) -> Tree:
    parts = tuple(_signed(p, plus=plus) if isinstance(p, tuple) else p for p in tree)
    if tree[0] == "pm":
        inside: Tree = parts[1]
        return inside if plus else negative(inside)
    return parts


def _items(tree: Tree) -> list[Tree] | None:
    if tree[0] in ("set", "list"):
        return [item[3] if item[0] == "rel" and item[1] == "=" else item for item in tree[1:]]
    if tree[0] == "tuple" and tree[1] == "[" and tree[2] == "]":
        return list(tree[3:])
    return None if tree[0] in ("tuple", "matrix") else [tree]


def _matched(one: Sequence[Tree], two: Sequence[Tree]) -> bool:
    """Whether each of one is one of the other's, once."""
    if len(one) != len(two) or len(one) > _MOST_ITEMS:
        return False
    left = list(two)
    for item in one:
        at = next((i for i, other in enumerate(left) if same(item, other)), None)
        if at is None:
            return False
        del left[at]
    return True


def _in_order(one: Sequence[Tree], two: Sequence[Tree]) -> bool:
    return (
        len(one) == len(two)
        and len(one) <= _MOST_ITEMS
        and all(same(a, b) for a, b in zip(one, two, strict=True))
    )


def _same_point(given: Tree, wanted: Tree) -> bool:
    """(2, 3) where x = 2, y = 3 was said, or the other way round."""
    one, two = (
        [part[3] if part[0] == "rel" else part for part in tree[3 if tree[0] == "tuple" else 1 :]]
        for tree in (given, wanted)
    )
    return {given[0], wanted[0]} == {"tuple", "list"} and _in_order(one, two)


def _same_relation(given: Tree, wanted: Tree) -> bool:
    sign, left, right = wanted[1:]
    if given[0] != "rel":
        return sign == "=" and left[0] == "name" and same(given, right)
    for turned in ((given[1], given[2], given[3]), (_TURNED.get(given[1]), given[3], given[2])):
        if turned[0] != sign:
            continue
        if same(turned[1], left) and same(turned[2], right):
            return True
    if sign != "=" or given[1] != "=":
        return False
    if left[0] == "name" and any(_times_name(side, left) for side in given[2:]):
        return False  # 2y = x + 1 where y was to be found
    # The same equation in another form: what is zero in one is a multiple of it in the other.
    one, two = (("add", tree[2], negative(tree[3])) for tree in (given, wanted))
    share = ("mul", one, inverse(two))
    found = [value(share, place) for place in _places(names_in(share))]
    known = [number for number in found if number is not None]
    return (
        len(known) >= _PLACES - 1
        and abs(known[0]) > 1e-9
        and all(abs(number - known[0]) <= 1e-8 * abs(known[0]) for number in known)
    )


def _times_name(tree: Tree, name: Tree) -> bool:
    """Whether a tree is a number of a symbol, and not one of it."""
    return tree[0] == "mul" and name in tree[1:] and names_in(tree) == {name[1]} and tree[1] != name


def _same_term(given: Tree, wanted: Tree) -> bool:
    for one, two in _marks(given, wanted):
        if one == two:
            return True
        a, b = exact(one), exact(two)
        if a is not None and b is not None:
            if a == b:
                return True
        elif _agree(one, two) and _proved(one, two):
            return True
    return False


def _marks(given: Tree, wanted: Tree) -> list[tuple[Tree, Tree]]:
    """Both without degree and percent marks, as people leave those out, and both converted."""
    factors = {"deg": ("mul", ("name", "pi"), ("num", "1", "180")), "percent": ("num", "1", "100")}

    def bare(tree: Tree, *, convert: bool) -> Tree:
        parts = tuple(bare(p, convert=convert) if isinstance(p, tuple) else p for p in tree)
        if tree[0] in factors:
            return ("mul", parts[1], factors[tree[0]]) if convert else parts[1]
        return parts

    pairs = [(bare(given, convert=True), bare(wanted, convert=True))]
    if pairs[0] != (given, wanted):
        pairs.append((bare(given, convert=False), bare(wanted, convert=False)))
    return pairs


def _places(names: set[str]) -> list[dict[str, complex]]:
    dice = random.Random("places")
    return [
        {name: complex(dice.uniform(0.4, 2.6)) for name in sorted(names)} for _ in range(_PLACES)
    ]


def _agree(one: Tree, two: Tree) -> bool:
    if ("name", "oo") in (one, two):
        return False  # equal ones were found to be so before
    names = names_in(one) | names_in(two)
    agreed = 0
    for place in _places(names):
        a, b = value(one, place), value(two, place)
        if a is None or b is None:
            continue
        if abs(a - b) > 1e-9 * max(1.0, abs(a), abs(b)):
            return False
        agreed += 1
    return agreed > 0


def _proved(one: Tree, two: Tree) -> bool:
    """Sympy's word; where it has none in its time, agreeing at all places is enough."""
    told = ask_child({"do": "equal", "a": one, "b": two})
    if told is not None and told.get("error"):
        raise EvaluationError(
            "answers of mathematics cannot be compared without sympy",
            hint="pip install 'qwq-gguf[eval]'",
        )
    return told is None or told.get("equal") is not False
