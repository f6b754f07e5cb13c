"""Importance matrices in the making: sums of squares with their counts, added up and written.

The file is what llama-imatrix writes (tools/imatrix/imatrix.cpp): a GGUF without an architecture,
entries sorted by name, two F32 tensors each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qwq_gguf.errors import ImatrixError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.gguf_file.layout import (
    DEFAULT_ALIGNMENT,
    MAX_NAME_BYTES,
    encode_header,
    padded,
)
from qwq_gguf.metadata import KeyValue, ValueType, array, text, u32
from qwq_gguf.quantization.planning.stored_imatrix import read_stored

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Entry", "ImatrixSums", "add", "encode_imatrix", "read_sums"]


@dataclass(slots=True, eq=False)
class Entry:
    """Of one tensor: summed squares, flat as the file has them, and for each of its matrices, or
    for all of them at once, how many inputs were summed.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.int64]


@dataclass(slots=True, eq=False)
class ImatrixSums:
    """The entries by tensor name; `datasets` are the texts that they are of, read in windows of so
    many tokens (0: nobody says).
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    window: int = 0

    def chunks(self, window: int) -> int:
        """How many windows of so many tokens that was, as llama-imatrix counts."""
        most = max((int(entry.counts.max()) for entry in self.entries.values()), default=0)
        return most // window

    @property
    def unseen(self) -> tuple[int, int]:
        """Matrices that nothing was multiplied with, and how many there are."""
        counts = [entry.counts for entry in self.entries.values()]
        return sum(int((each == 0).sum()) for each in counts), sum(map(len, counts))


def read_sums(path: Path, window: int) -> ImatrixSums:
    """The sums in a file of either format; of the older one, means for so many windows of
    `window` tokens. ImatrixError as from `read_stored`.
    """
    stored = read_stored(path)
    factor = window if stored.legacy else 1
    entries = {}
    for name, (values, counts) in stored.entries.items():
        if values.size % counts.size:
            raise ImatrixError(
                f"{name} has more counts than fit its values",
                path=path,
                found=f"{values.size} values, {counts.size} counts",
            )
        whole = np.floor(np.minimum(counts, 1 << 52) * factor + 0.5).astype(np.int64)
        entries[name] = Entry(values.astype(np.float64) * factor, whole)
    return ImatrixSums(entries, stored.datasets, stored.window)


def add(one: ImatrixSums, other: ImatrixSums, path: Path) -> None:
    """Add the second, which `path` has, to the first.

    ImatrixError for an entry that has another size there: then it is of another model.
    """
    for name, entry in other.entries.items():
        mine = one.entries.setdefault(
            name, Entry(np.zeros_like(entry.sums), np.zeros_like(entry.counts))
        )
        sizes = {len(mine.counts), len(entry.counts)}
        if len(mine.sums) != len(entry.sums) or (len(sizes) > 1 and 1 not in sizes):
            raise ImatrixError(
                f"{name} has another size there",
                path=path,
                found=f"{len(entry.sums)} values, {len(entry.counts)} counts",
                expected=f"{len(mine.sums)} values, {len(mine.counts)} counts",
                hint="merge importance matrices of one model only",
            )
        mine.sums = mine.sums + entry.sums
        mine.counts = mine.counts + entry.counts  # one for all counts for each
    one.datasets += other.datasets
    one.window = one.window or other.window


class _Record(NamedTuple):
    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int


def encode_imatrix(
    made: ImatrixSums, *, window: int, also: Sequence[KeyValue] = ()
) -> list[bytes | memoryview]:
    """The bytes of the file, in parts. `also` are further keys.

    ImatrixError for a tensor whose name is too long for a GGUF once it says what is in it.
    """
    keys = [
        text("general.type", "imatrix"),
        array("imatrix.datasets", ValueType.STRING, made.datasets),
        u32("imatrix.chunk_count", made.chunks(window)),
        u32("imatrix.chunk_size", window),
        *also,
    ]
    records: list[_Record] = []
    parts: list[bytes | memoryview] = []
    at = 0
    for name, values in _tensors(made.entries):
        if len(name.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES:
            raise ImatrixError("a tensor's name is too long for an imatrix", found=name)
        shape = values.shape[::-1] if values.shape[0] > 1 else values.shape[1:]
        records.append(_Record(name, shape, GgmlType.F32, at))  # ggml writes no last length of 1
        size = padded(values.nbytes, DEFAULT_ALIGNMENT)
        parts += [values.data.cast("B"), bytes(size - values.nbytes)]
        at += size
    return [encode_header(keys, records), *parts]


def _tensors(entries: Mapping[str, Entry]) -> list[tuple[str, NDArray[np.float32]]]:
    out = []
    for name in sorted(entries, key=lambda each: each.encode("utf-8", "surrogateescape")):
        entry = entries[name]
        matrices = len(entry.counts)
        sums = np.ascontiguousarray(entry.sums.reshape(matrices, -1), "<f4")
        out.append((f"{name}.in_sum2", sums))
        out.append((f"{name}.counts", entry.counts.reshape(matrices, 1).astype("<f4")))
    return out
