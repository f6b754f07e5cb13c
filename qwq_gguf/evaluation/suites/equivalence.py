"""What a problem asks, whatever its skill, the order of its numbers and their zeros.

`multiply:43*57`, `calculator:43*57` and `calculator:57*43` are guises of one content, `43*57`.
A content is written as text: `43*57`, `43+57`, `43-57` (the smaller first: the difference the
other way round differs in its sign only), `6/3`, `9.11,9.9` (without needless zeros), or a word.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

__all__ = ["comparison", "content", "guises", "is_step", "operation"]

_SKILLS = {"*": "multiply", "+": "add", "-": "subtract"}
_PLACES = 4  # the most that a comparison shows after the point


def operation(a: int, sign: str, b: int) -> str:
    """The content of two whole numbers (0 or more) and one of ``*+-/``."""
    if sign != "/":
        a, b = sorted((a, b))
    return f"{a}{sign}{b}"


def comparison(a: str, b: str) -> str:
    """The content of comparing two decimals of 0 or more, as they are written."""
    return ",".join(sorted((_plain(a), _plain(b))))


def content(key: str) -> str:
    """What the problem with this key asks."""
    skill, _, asked = key.partition(":")
    if skill == "letters":
        return asked
    if skill == "compare":
        return comparison(*asked.split(","))
    return operation(*_parts(asked))


def guises(asked: str) -> Iterator[str]:
    """The keys of every problem that asks this content and could be drawn."""
    if asked.isalpha():
        yield f"letters:{asked}"
    elif "," in asked:
        a, b = map(_written, asked.split(","))
        for pair in itertools.product(a, b):
            if any("." in number for number in pair):
                yield "compare:" + ",".join(sorted(pair))
    else:
        yield from _guises_of_operation(*_parts(asked))


def is_step(asked: str) -> bool:
    """Whether worked thoughts state such a content in passing, whatever they are about.

    A column of digits is a product, sum or difference of one digit (with what was borrowed, the
    number above may be 18 at most), and before subtracting, whole numbers are compared.
    """
    if asked.isalpha():
        return False
    if "," in asked:
        return "." not in asked
    a, sign, b = _parts(asked)
    return a <= 9 and (b - a <= 9 if sign == "-" else b <= 9)


def _guises_of_operation(a: int, sign: str, b: int) -> Iterator[str]:
    digits, more = len(str(a)), len(str(b))
    orders = {(a, b), (b, a)}
    if sign == "/":
        yield f"calculator:{a}/{b}"
        return
    if more <= 6 and (sign != "*" or (digits <= 2 and more <= 3)):
        for x, y in sorted(orders) if sign == "-" else [(a, b)]:
            yield f"{_SKILLS[sign]}:{x}{sign}{y}"
    if digits >= 2 and more <= 6:
        for x, y in sorted(orders):
            yield f"calculator:{x}{sign}{y}"


def _parts(asked: str) -> tuple[int, str, int]:
    sign = next(c for c in asked if not c.isdigit())
    a, _, b = asked.partition(sign)
    return int(a), sign, int(b)


def _plain(number: str) -> str:
    """`9.9` of `09.90`, `7` of `7.0`."""
    whole, _, places = number.partition(".")
    whole, places = whole.lstrip("0") or "0", places.rstrip("0")
    return f"{whole}.{places}" if places else whole


def _written(number: str) -> list[str]:
    """`number` with every count of zeros that a problem may show after it."""
    whole, point, places = number.partition(".")
    shortest = [] if point else [whole]
    start = max(1, len(places))
    return shortest + [f"{whole}.{places:0<{shown}}" for shown in range(start, _PLACES + 1)]
