"""Importance matrices as quantizing uses them: the means of what their files have sums of.

Divided as llama-quantize does it, in float32.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.errors import ImatrixError
from qwq_gguf.quantization.planning.importance import Imatrix
from qwq_gguf.quantization.planning.stored_imatrix import (
    LARGEST_IMPORTANCE,
    MAX_FILE_BYTES,
    check_values,
    read_stored,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_FILE_BYTES", "read_imatrix"]

_BLOCK = 1 << 20  # what is divided in one go


def read_imatrix(path: str | Path) -> Imatrix:
    """The importance matrix in a file of either format.

    ImatrixError when it is missing, no imatrix, damaged, larger than `MAX_FILE_BYTES`, or
    has a value that is NaN, infinite, negative or above `LARGEST_IMPORTANCE`; the message
    names the entry.
    """
    stored = read_stored(path)
    entries = {}
    for entry in list(stored.entries):
        totals, calls = stored.entries.pop(entry)
        if stored.legacy:  # without calls the values are means already
            calls = np.where(calls == 0, 1, calls)
        entries[entry] = _means(Path(path), entry, totals, calls)
    return Imatrix(str(path), entries, next(iter(stored.datasets), None), stored.chunks)


def _means(
    path: Path,
    entry: str,
    totals: NDArray[np.float32],
    calls: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Sums divided, where they are, by their matrix's count; ones where nothing was counted."""
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
        counts = np.floor(calls[first : first + some] + 0.5).astype(np.float32)[:, None]
        np.divide(part, counts, out=part, where=counts > 0)
        part[counts[:, 0] <= 0] = 1
    check_values(path, entry, "mean", totals, LARGEST_IMPORTANCE)
    return totals
