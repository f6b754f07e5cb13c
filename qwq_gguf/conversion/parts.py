"""What one tensor of a checkpoint gives to a tensor of a GGUF, where that is not all of its
rows as they lie there: rows out of many, columns as rows, numbers that need a scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from qwq_gguf.checkpoint.values import TensorInfo

__all__ = ["BYTE_NUMBERS", "FLOATS", "MXFP4_BLOCK", "Part", "Scales", "View"]

FLOATS = ("BF16", "F16", "F32")
BYTE_NUMBERS = ("F8_E4M3", "F8_E5M2", "I8")
"""Numbers of a byte that are nothing without a scale. What they come to is read as BF16."""
MXFP4_BLOCK = 32
"""Weights of four bits that share a scale: two in each byte, which safetensors calls U8."""


@dataclass(frozen=True, slots=True)
class Scales:
    """A tensor of factors, one for each `rows` x `columns` of the tensor that they belong to,
    where both are counted from its first row and column.
    """

    info: TensorInfo
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class View:
    """What of a checkpoint's tensor a GGUF's tensor has.

    `shape` is what comes out, in PyTorch order. The tensor is looked at as rows of its last
    dimension, all others counted through. `runs` are those taken, one run after the other;
    `columns` those of their weights that are taken, None for all. With `turned` each run is
    a matrix whose columns, those that are taken, become rows. `width` is the length of those rows
    where it is not that of the last dimension.
    """

    shape: tuple[int, ...]
    runs: tuple[range, ...]
    turned: bool = False
    columns: tuple[int, ...] | range | None = None
    width: int = 0

    def parts(self, info: TensorInfo, scales: Scales | None) -> tuple[Part, ...]:
        """The runs, each on its own."""
        width = self.width or _width(info)
        return tuple(Part(info, width, run, self.turned, self.columns, scales) for run in self.runs)


@dataclass(frozen=True, slots=True)
class Part:
    """One run of a `View`: rows of a tensor that has `width` weights in each."""

    info: TensorInfo
    width: int
    taken: range
    turned: bool = False
    columns: tuple[int, ...] | range | None = None
    scales: Scales | None = None

    @classmethod
    def scaled(cls, info: TensorInfo, scales: Scales) -> Part:
        """All of a tensor."""
        width = _width(info)
        return cls(info, width, range(prod(info.shape) // width), scales=scales)

    @property
    def rows(self) -> int:
        """How many rows of the GGUF's tensor these are."""
        if not self.turned:
            return len(self.taken)
        return self.width if self.columns is None else len(self.columns)

    @property
    def name(self) -> str:
        """The tensor's name, for people."""
        return self.info.name

    @property
    def dtype(self) -> str:
        """What the rows are when they have been read."""
        if self.info.dtype in FLOATS:
            return self.info.dtype
        return "MXFP4" if self.info.dtype == "U8" else "BF16"

    @property
    def row_bytes(self) -> int:
        """Bytes of a row as it is stored."""
        return self.width // 2 if self.dtype == "MXFP4" else self.info.nbytes // self._height

    @property
    def shard(self) -> Path:
        """The file that it is in."""
        return self.info.shard

    @property
    def start(self) -> int:
        """Where in the file its first row is."""
        return self.info.start + self.taken.start * self.row_bytes

    @property
    def shards(self) -> tuple[Path, ...]:
        """The files that it needs: its own and that of its scales."""
        found = [self.shard] if self.scales is None else [self.shard, self.scales.info.shard]
        return tuple(dict.fromkeys(found))

    @property
    def least_weights(self) -> int:
        """How many weights are in memory for a single row."""
        return len(self.taken) * self.width if self.turned else self.width

    @property
    def extra_bytes(self) -> float:
        """Bytes a weight that reading takes beside what comes out."""
        stored = self.row_bytes / self.width * self.taken.step
        return 2 * stored if self.turned or self.columns is not None else stored

    @property
    def _height(self) -> int:
        return prod(self.info.shape) // self.width


def _width(info: TensorInfo) -> int:
    """The weights of a row. Blocks of four bits have their bytes in a dimension of their own."""
    if info.dtype == "U8":
        return info.shape[-2] * MXFP4_BLOCK
    return info.shape[-1] if info.shape else 1
