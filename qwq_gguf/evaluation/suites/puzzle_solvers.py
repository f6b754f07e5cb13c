"""What proves the answers of the suite `puzzles`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import combinations

__all__ = ["least_crossings", "least_steps", "least_weighings"]


def least_steps(rows: tuple[str, ...]) -> int | None:
    """The length of the shortest way from S to G past the walls #, None where there is none."""
    places = {
        (row, column): letter for row, line in enumerate(rows) for column, letter in enumerate(line)
    }
    start = next(place for place, letter in places.items() if letter == "S")
    reached, steps, seen = {start}, 0, {start}
    while reached:
        if any(places[place] == "G" for place in reached):
            return steps
        around = {
            (row + down, column + right)
            for row, column in reached
            for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0))
        }
        reached = {place for place in around - seen if places.get(place, "#") != "#"}
        seen |= reached
        steps += 1
    return None


def least_crossings(count: int, eats: Iterable[tuple[int, int]], seats: int) -> int | None:
    """The fewest crossings that bring `count` things over, at most `seats` at a time, None where
    it cannot be done. No pair of `eats` may be on a bank without the farmer.
    """
    pairs = tuple(eats)
    everything = frozenset(range(count))

    def safe(bank: frozenset[int]) -> bool:
        return not any(a in bank and b in bank for a, b in pairs)

    # What is on the first bank, and whether the farmer is there.
    reached = {(everything, True)}
    seen = set(reached)
    trips = 0
    while reached:
        if any(not bank and not here for bank, here in reached):
            return trips
        ahead: set[tuple[frozenset[int], bool]] = set()
        for bank, here in reached:
            side = bank if here else everything - bank
            for size in range(min(seats, len(side)) + 1):
                for load in combinations(sorted(side), size):
                    left = side - frozenset(load)
                    if safe(left):
                        ahead.add((left if here else everything - left, not here))
        reached = ahead - seen
        seen |= reached
        trips += 1
    return None


def least_weighings(coins: int, most: int) -> int:
    """How many weighings find one coin of another weight, known to be heavier (or lighter), among
    `coins`, with at most `most` coins on each pan, in the worst case.
    """

    @cache
    def needed(left: int) -> int:
        """With so many coins that it may be; all others are known to be good ones."""
        if left == 1:
            return 0
        good = coins - left
        return 1 + min(
            max(needed(part) for part in (one, two, left - one - two) if part)
            for one in range(1, min(most, left) + 1)
            for two in range(min(one, left - one) + 1)
            if one - two <= good and (one + two < left or two)
        )

    return needed(coins)
