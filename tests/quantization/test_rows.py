"""Ranges of rows against sets of rows."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from qwq_gguf.quantization.running.rows import Rows, merged, pieces

ROWS = 24
ranges = st.lists(
    st.tuples(st.integers(0, ROWS), st.integers(0, ROWS)).map(lambda pair: (min(pair), max(pair))),
    max_size=6,
)


def members(rows: Rows) -> set[int]:
    return {row for first, stop in rows for row in range(first, stop)}


@given(ranges)
def test_merged_is_the_same_rows_in_as_few_ranges(given_ranges: list[tuple[int, int]]) -> None:
    found = merged(given_ranges)
    assert members(found) == {row for first, stop in given_ranges for row in range(first, stop)}
    assert all(first < stop for first, stop in found)
    assert all(before[1] < after[0] for before, after in pairwise(found))


@given(st.lists(ranges.map(merged), min_size=1, max_size=3))
def test_pieces_are_what_each_misses(done: list[Rows]) -> None:
    found = list(pieces(0, ROWS, done))
    for file, there in enumerate(done):
        missing = [
            row for first, stop, without in found if file in without for row in range(first, stop)
        ]
        assert missing == sorted(set(range(ROWS)) - members(there))
    assert all(without for _, _, without in found)
    # As long as they can be.
    assert all(a[1] < b[0] or a[2] != b[2] for a, b in pairwise(found))
