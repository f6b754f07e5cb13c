"""The numbers of an importance matrix: read, looked at, and divided as llama-quantize does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.errors import ImatrixError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwq_gguf.gguf_file.cursor import Cursor

__all__ = ["LARGEST_IMPORTANCE", "means_of", "read_floats"]

LARGEST_IMPORTANCE = 1e15
"""Past the square of any activation. ggml's own search overflows some way beyond it: K-quants
turn to nonsense, and the two-bit codebook types end the process."""

_BLOCK = 1 << 20  # what is read and looked at in one go


def read_floats(cursor: Cursor, count: int, what: str) -> NDArray[np.float32]:
    """The next numbers, in memory once: the largest file is half of what a run may take."""
    cursor.require(4 * count, what)
    values = np.empty(count, dtype="<f4")
    target = values.data.cast("B")
    for at in range(0, len(target), _BLOCK):
        piece = target[at : at + _BLOCK]
        piece[:] = cursor.take(len(piece), what)
    return values


def means_of(
    path: Path,
    entry: str,
    totals: NDArray[np.float32],
    calls: NDArray[np.float32] | NDArray[np.float64],
) -> NDArray[np.float32]:
    """Sums divided, where they are, by their matrix's count; ones where nothing was counted."""
    _check(path, entry, "count", calls, np.inf)
    _check(path, entry, "value", totals, np.inf)
    if totals.size % calls.size:
        raise ImatrixError(
            f"{entry} has more counts than fit its values",
            path=path,
            found=f"{totals.size} values, {calls.size} counts",
        )
    table = totals.reshape(calls.size, -1)
    some = max(1, _BLOCK // table.shape[1])
    for first in range(0, calls.size, some):
        part = table[first : first + some]
        # To the nearest whole number, halves up; each is exact in a float64.
        exact = calls[first : first + some].astype(np.float64)
        counts = np.floor(exact + 0.5).astype(np.float32)[:, None]
        np.divide(part, counts, out=part, where=counts > 0)
        part[counts[:, 0] <= 0] = 1
    _check(path, entry, "mean", totals, LARGEST_IMPORTANCE)
    return totals


def _check(
    path: Path,
    entry: str,
    what: str,
    values: NDArray[np.float32] | NDArray[np.float64],
    most: float,
) -> None:
    for first in range(0, values.size, _BLOCK):
        some = values[first : first + _BLOCK]
        fine = np.isfinite(some) & (some >= 0) & (some <= most)
        if fine.all():
            continue
        bad = int(np.argmin(fine))
        bound = f", up to {most:g}" if most < np.inf else ""
        raise ImatrixError(
            f"{entry} has an impossible {what} at position {first + bad}",
            path=path,
            found=f"{some[bad]:.6g}",
            expected=f"a finite number, not negative{bound}",
            hint="make it again: the model or the file is damaged",
        )
