"""The Pareto front: what nothing else beats in both things at once."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["front"]


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Which of these (cost, loss) no other has both no more of, and less of one; by cost.

    Points that are equal in both are there together.
    """
    order = sorted(range(len(points)), key=lambda at: points[at])
    found: list[int] = []
    for at in order:
        if not found or points[at][1] < points[found[-1]][1] or points[at] == points[found[-1]]:
            found.append(at)
    return found
