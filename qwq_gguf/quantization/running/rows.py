"""Ranges of a tensor's rows: which are done, and which are still to be made. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

__all__ = ["Rows", "merged", "pieces"]

Rows = tuple[tuple[int, int], ...]
"""Ranges (first, stop) in order, none empty, none touching the next."""


def merged(ranges: Iterable[tuple[int, int]]) -> Rows:
    """Ranges in any order, overlapping or not, as one set."""
    found: list[tuple[int, int]] = []
    for first, stop in sorted(ranges):
        if stop <= first:
            continue
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((first, stop))
    return tuple(found)


def pieces(
    first: int, stop: int, done: Sequence[Rows]
) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """What is missing of the rows `first` to `stop` in some of several files: (first, stop, in
    which).

    In order, each as long as the same files miss it. `done` is what each of them has.
    """
    edges = {first, stop} | {edge for ranges in done for pair in ranges for edge in pair}
    ends = sorted(edge for edge in edges if first <= edge <= stop)
    last: tuple[int, int, tuple[int, ...]] | None = None
    for begin, end in pairwise(ends):
        without = tuple(
            file
            for file, ranges in enumerate(done)
            if not any(start <= begin and end <= until for start, until in ranges)
        )
        if last is not None and last[1] == begin and last[2] == without:
            last = (last[0], end, without)
            continue
        if last is not None:
            yield last
        last = (begin, end, without) if without else None
    if last is not None:
        yield last
