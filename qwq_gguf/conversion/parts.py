"""What one tensor of a checkpoint gives to a tensor of a GGUF, where that is not all of its
rows as they lie there: rows out of many, columns as rows, numbers that need a scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

    from qwq_gguf.checkpoint.values import TensorInfo
    from qwq_gguf.conversion.updates import Update

__all__ = [
    "BYTE_NUMBERS",
    "FLOATS",
    "MXFP4_BLOCK",
    "UPDATE_BLOCK",
    "Code",
    "Layout",
    "Packed",
    "Part",
    "Scales",
    "View",
]

FLOATS = ("BF16", "F16", "F32")
BYTE_NUMBERS = ("F8_E4M3", "F8_E5M2", "I8")
"""Numbers of a byte that are nothing without a scale. What they come to is read as BF16."""
UPDATE_BLOCK = 1 << 18
"""Numbers of the wide one of two thin matrices that are in memory at a time."""
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


Layout: TypeAlias = Literal["rows", "columns", "awq"]


@dataclass(frozen=True, slots=True)
class Packed:
    """How whole numbers of few `bits` lie in words of 32, and what makes weights of them: each
    less its zero, times its scale. Of a matrix of R rows and C columns, with n numbers a word:

        layout      words       scales    zeros        whose
        rows        [R, C/n]    [R, G]    [R/n, G]     compressed-tensors
        columns     [C/n, R]    [G, R]    [G, R/n]     GPTQ
        awq         [C, R/n]    [G, R]    [G, R/n]     AWQ, which changes places in a word

    The G groups are of `group` columns each, in order, or as `groups` tells of each column.
    Without `zeros` all are in the middle; to those that are stored, `zero_offset` is added.
    """

    layout: Layout
    bits: int
    group: int
    scales: TensorInfo
    zeros: TensorInfo | None = None
    groups: TensorInfo | None = None
    zero_offset: int = 0

    @property
    def infos(self) -> tuple[TensorInfo, ...]:
        """The tensors that a decoder needs beside the numbers."""
        found = (self.scales, self.zeros, self.groups)
        return tuple(info for info in found if info is not None)


Code: TypeAlias = Scales | Packed
"""What makes weights of a tensor's numbers."""


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

    def parts(
        self,
        info: TensorInfo,
        scales: Code | None,
        updates: tuple[Update, ...] | None = None,
    ) -> tuple[Part, ...]:
        """The runs, each on its own."""
        width = self.width or _width(info)
        return tuple(
            Part(info, width, run, self.turned, self.columns, scales, updates) for run in self.runs
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One run of a `View`: rows of a tensor that has `width` weights in each.

    `updates` are done to them one after the other, in F32, which they then are; None where
    there are none, an empty tuple where they are only to become F32. Of `Packed` numbers
    `info` has the shape of the weights, and the bytes of the words.
    """

    info: TensorInfo
    width: int
    taken: range
    turned: bool = False
    columns: tuple[int, ...] | range | None = None
    scales: Code | None = None
    updates: tuple[Update, ...] | None = None

    @classmethod
    def whole(
        cls,
        info: TensorInfo,
        scales: Code | None,
        updates: tuple[Update, ...] | None = None,
    ) -> Part:
        """All of a tensor."""
        width = _width(info)
        rows = range(prod(info.shape) // width)
        return cls(info, width, rows, scales=scales, updates=updates)

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
        return self.decoded if self.updates is None else "F32"

    @property
    def decoded(self) -> str:
        """What they are before they are updated."""
        if isinstance(self.scales, Packed):
            return "F32"
        if self.info.dtype in FLOATS:
            return self.info.dtype
        return "MXFP4" if self.info.dtype == "U8" else "BF16"

    @property
    def row_bytes(self) -> int:
        """Bytes of a row as it is stored, on average."""
        return self.width // 2 if self.decoded == "MXFP4" else self.info.nbytes // self._height

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
        """The files that it needs: those of its numbers, and those of its updates."""
        found = [*self.number_shards]
        for update in self.updates or ():
            found += update.shards
        return tuple(dict.fromkeys(found))

    @property
    def number_shards(self) -> tuple[Path, ...]:
        """Its own file and those of its scales, which pass by where the model is streamed."""
        found = [self.shard]
        if isinstance(self.scales, Packed):
            found += [info.shard for info in self.scales.infos]
        elif self.scales is not None:
            found.append(self.scales.info.shard)
        return tuple(dict.fromkeys(found))

    @property
    def least_weights(self) -> int:
        """How many weights are in memory for a single row."""
        least = len(self.taken) * self.width if self.turned else self.width
        return max(least, UPDATE_BLOCK) if self.updates else least

    @property
    def extra_bytes(self) -> float:
        """Bytes a weight that reading takes beside what comes out."""
        stored = self.row_bytes / self.width * self.taken.step
        if isinstance(self.scales, Packed):
            stored += 2  # numbers apart, and their zeros
        if self.updates is not None:
            ranks = max((update.rank for update in self.updates), default=0)
            # The rows as they were, what is added, and the thin matrices.
            stored += 12 + 8 * min(1.0, ranks / self.width) + 8
        return 2 * stored if self.turned or self.columns is not None else stored

    @property
    def _height(self) -> int:
        return prod(self.info.shape) // self.width


def _width(info: TensorInfo) -> int:
    """The weights of a row. Blocks of four bits have their bytes in a dimension of their own."""
    if info.dtype == "U8":
        return info.shape[-2] * MXFP4_BLOCK
    return info.shape[-1] if info.shape else 1
