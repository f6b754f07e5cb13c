"""What an adapter adds to the matrices of a model: products of two thin ones (LoRA,
arXiv 2106.09685), and lengths that rows are brought to (DoRA, arXiv 2402.09353).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from qwq_gguf.checkpoint.values import TensorInfo

__all__ = ["Factor", "Update"]


@dataclass(frozen=True, slots=True)
class Factor:
    """One of the two matrices of a product; `turned`: the columns of the tensor are its rows."""

    info: TensorInfo
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """`scale` times `left` [rows, rank] times `right` [rank, columns] is added to a matrix.

    Without `left` a vector is `right`, a single row. With `magnitudes`, one number for each
    row, the row is then brought to that length: it is multiplied by the number, and divided
    by the length that it has.
    """

    left: Factor | None
    right: Factor
    scale: float
    magnitudes: TensorInfo | None = None

    @property
    def rank(self) -> int:
        """How many rows and columns are multiplied."""
        if self.left is None:
            return 1
        return self.left.info.shape[0 if self.left.turned else 1]

    @property
    def infos(self) -> tuple[TensorInfo, ...]:
        """The tensors that it is made of."""
        left = () if self.left is None else (self.left.info,)
        magnitudes = () if self.magnitudes is None else (self.magnitudes,)
        return (*left, self.right.info, *magnitudes)

    @property
    def shards(self) -> tuple[Path, ...]:
        """The files that they are in."""
        return tuple(dict.fromkeys(info.shard for info in self.infos))
