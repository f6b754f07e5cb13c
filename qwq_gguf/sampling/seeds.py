"""The seeds of a chat's replies. One seed makes all of them again."""

from __future__ import annotations

import secrets

__all__ = ["MOST_SEED", "Seeds", "new_seed", "nth_seed", "round_seed"]

# 2**32 - 1 stands for "any seed" in llama.h.
MOST_SEED = 2**32 - 2


def new_seed() -> int:
    """One that nobody has asked for."""
    return secrets.randbelow(MOST_SEED + 1)


def nth_seed(seed: int, number: int) -> int:
    """That of the reply so many behind the one with this seed."""
    return (seed + number) % (MOST_SEED + 1)


def round_seed(seed: int, number: int) -> int:
    """Another one for each round of tools, the reply's own for the first."""
    return (seed + number * 0x9E3779B9) % (MOST_SEED + 1)


class Seeds:
    """A seed for each reply of a chat: counted on from the first, or drawn without one."""

    def __init__(self, first: int | None) -> None:
        self.first = first
        self.taken = 0
        """How many of a first one have been taken."""

    def take(self) -> int:
        """That of the next reply."""
        if self.first is None:
            return new_seed()
        seed = nth_seed(self.first, self.taken)
        self.taken += 1
        return seed
