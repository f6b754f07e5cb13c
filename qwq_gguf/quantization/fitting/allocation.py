"""Which type each tensor gets, so that the sum of errors is least within a size. Pure.

Everett's method of Lagrange multipliers (Operations Research 11, 1963): at a price for each byte,
every tensor by itself takes the option with the least error plus price, which is one on the convex
hull of its options. The lowest price at which all fit is found by bisection. What is then left of
the size buys single steps, the most gain a byte first. At that price the errors and the bytes
also say below which error no choice can come (`Allocation.bound`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Allocation", "Option", "allocate", "hull"]


class Option(NamedTuple):
    """What a tensor would take in one type, and what that would cost."""

    nbytes: int
    error: float


@dataclass(frozen=True, slots=True)
class Allocation:
    """The number of the option that each tensor gets; of all of them the bytes and the error.

    No choice of this size has an error below `bound`.
    """

    picks: tuple[int, ...]
    nbytes: int
    error: float
    bound: float


def allocate(tensors: Sequence[Sequence[Option]], limit: int) -> Allocation | None:
    """The choice with the least error found within `limit` bytes; None where nothing fits.

    Each tensor has at least one option. Of options alike the first counts.
    """
    hulls = [hull(options) for options in tensors]
    if sum(tensors[n][own[0]].nbytes for n, own in enumerate(hulls)) > limit:
        return None
    prices = sorted({price for n, own in enumerate(hulls) for price in _prices(tensors[n], own)})
    # At the price of a step it is not taken; above all prices every tensor takes its least bytes.
    low, high = 0, len(prices)
    while low < high:
        middle = (low + high) // 2
        picks = _at(tensors, hulls, ([0.0, *prices])[middle])
        if _bytes(tensors, picks) <= limit:
            high = middle
        else:
            low = middle + 1
    price = ([0.0, *prices])[low]
    picks = _at(tensors, hulls, price)
    error = _error(tensors, picks)
    bound = error - price * (limit - _bytes(tensors, picks))
    _fill(tensors, picks, limit - _bytes(tensors, picks))
    return Allocation(tuple(picks), _bytes(tensors, picks), _error(tensors, picks), max(0.0, bound))


def hull(options: Sequence[Option]) -> list[int]:
    """The options that are best at some price, by number: from the least bytes to the least
    error, each byte of a step worth less than one of the step before.
    """
    found: list[int] = []
    for number in sorted(range(len(options)), key=lambda n: (*options[n], n)):
        here = options[number]
        if found and here.error >= options[found[-1]].error:
            continue  # more bytes for nothing
        while len(found) > 1 and _price(options[found[-2]], options[found[-1]]) <= _price(
            options[found[-1]], here
        ):
            found.pop()
        found.append(number)
    return found


def _price(less: Option, more: Option) -> float:
    """Error that each further byte takes away."""
    return (less.error - more.error) / (more.nbytes - less.nbytes)


def _prices(options: Sequence[Option], own: Sequence[int]) -> list[float]:
    return [_price(options[a], options[b]) for a, b in pairwise(own)]


def _at(
    tensors: Sequence[Sequence[Option]], hulls: Sequence[Sequence[int]], price: float
) -> list[int]:
    picks = []
    for options, own in zip(tensors, hulls, strict=True):
        steps = sum(each > price for each in _prices(options, own))
        picks.append(own[steps])
    return picks


def _bytes(tensors: Sequence[Sequence[Option]], picks: Sequence[int]) -> int:
    return sum(options[pick].nbytes for options, pick in zip(tensors, picks, strict=True))


def _error(tensors: Sequence[Sequence[Option]], picks: Sequence[int]) -> float:
    return sum(options[pick].error for options, pick in zip(tensors, picks, strict=True))


def _fill(tensors: Sequence[Sequence[Option]], picks: list[int], left: int) -> None:
    """Spend what is left; options off the hull are welcome here."""
    while True:
        best: tuple[float, int, int] | None = None
        for number, (options, pick) in enumerate(zip(tensors, picks, strict=True)):
            here = options[pick]
            for other, option in enumerate(options):
                if option.error < here.error and 0 < option.nbytes - here.nbytes <= left:
                    step = (-_price(here, option), number, other)
                    best = step if best is None else min(best, step)
        if best is None:
            return
        _, number, other = best
        left -= tensors[number][other].nbytes - tensors[number][picks[number]].nbytes
        picks[number] = other
