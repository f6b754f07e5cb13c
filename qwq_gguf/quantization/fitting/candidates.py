"""Which types a tensor may be given, and which of its rows stand for all of them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from qwq_gguf.conversion.values import SourceTensor
from qwq_gguf.ggml_types import FileType, GgmlType, trimmed
from qwq_gguf.quantization.planning.tensor_kinds import kind_of, never_quantized
from qwq_gguf.quantization.recipes.recipe import (
    IMPOSSIBLE_WITHOUT_IMATRIX,
    TARGET_TYPES,
    useless_without_imatrix,
)

__all__ = ["SAMPLE_WEIGHTS", "Sample", "candidates", "sample_of"]

SAMPLE_WEIGHTS = 1 << 17
"""Weights of a tensor that are looked at: 512 blocks of 256."""

_RUNS = 8
_LEAST_ROWS = 8

# Of 256 weights a block. As a rule those of 32 are outdone by one of these of no more bits, so they
# are for rows that are no multiple of 256.
_LARGE = (
    *(GgmlType.Q8_0, GgmlType.Q6_K, GgmlType.Q5_K, GgmlType.Q4_K, GgmlType.Q3_K, GgmlType.Q2_K),
    *(GgmlType.IQ4_XS, GgmlType.IQ3_S, GgmlType.IQ3_XXS, GgmlType.IQ2_S, GgmlType.IQ2_XS),
    *(GgmlType.IQ2_XXS, GgmlType.IQ1_M, GgmlType.IQ1_S),
)
_SMALL = (
    *(GgmlType.Q8_0, GgmlType.Q5_1, GgmlType.Q5_0, GgmlType.Q4_1, GgmlType.Q4_0),
    GgmlType.IQ4_NL,
)


def candidates(tensor: SourceTensor, *, weighted: bool) -> tuple[GgmlType, ...]:
    """The types to choose from, the stored one first where it may stay; empty for a tensor that
    no recipe touches. `weighted`: an importance matrix has this tensor.
    """
    if never_quantized(tensor):
        return ()
    kinds = _LARGE if GgmlType.Q4_K.fits(tensor.shape[0]) else _SMALL
    found = [
        kind
        for kind in kinds
        if kind.fits(tensor.shape[0]) and (weighted or not _needs_weights(kind, tensor.name))
    ]
    stored = tensor.stored
    if stored in TARGET_TYPES and stored is not GgmlType.F32:
        found = [stored, *(kind for kind in found if kind is not stored)]
    return tuple(found) or (GgmlType.F16,)


def _needs_weights(kind: GgmlType, name: str) -> bool:
    """Whether a plan would refuse it without importance, or nobody would want it."""
    inside = kind_of(name) not in ("output", "token_embd")
    return kind in IMPOSSIBLE_WITHOUT_IMATRIX or (
        inside and useless_without_imatrix(kind, FileType.Q4_K_M)
    )


@dataclass(frozen=True, slots=True)
class Sample:
    """Runs of rows (first, count) of a tensor that has so many rows of so many columns."""

    runs: tuple[tuple[int, int], ...]
    rows: int
    columns: int

    @property
    def weights(self) -> int:
        """How many numbers are looked at."""
        return self.columns * sum(count for _, count in self.runs)

    @property
    def whole(self) -> bool:
        """Whether that is all of them."""
        return self.weights == self.rows * self.columns


def sample_of(tensor: SourceTensor, most: int = SAMPLE_WEIGHTS) -> Sample:
    """The same rows each time: as far apart as can be, in runs that lie in one matrix each.

    All rows of a tensor that is small, or has to be read whole for any of its rows.
    """
    columns, rows = tensor.shape[0], tensor.rows
    shape = trimmed(tensor.shape)
    matrix = shape[1] if len(shape) > 1 else 1
    wanted = max(_LEAST_ROWS, most // columns)
    if wanted >= rows:
        return Sample(tuple((first, matrix) for first in range(0, rows, matrix)), rows, columns)
    runs = min(wanted, _RUNS if rows == matrix else max(_RUNS, wanted // 4))
    length = min(wanted // runs, matrix)
    spread = [number * (rows - length) // max(1, runs - 1) for number in range(runs)]
    # A run that would reach into the next matrix ends with its own.
    starts = [min(first, first // matrix * matrix + matrix - length) for first in spread]
    return Sample(tuple((first, length) for first in starts), rows, columns)
