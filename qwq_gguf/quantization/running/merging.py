"""Rows of a matrix with what adapters add to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.conversion.parts import UPDATE_BLOCK
from qwq_gguf.errors import TensorError
from qwq_gguf.quantization.kernels.thin_products import multiply

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwq_gguf.checkpoint.reader import ShardReader
    from qwq_gguf.checkpoint.values import TensorInfo
    from qwq_gguf.conversion.updates import Factor, Update

    Floats = NDArray[np.float32]

__all__ = ["updated"]

_LANES = 64
_STRIP = 1 << 10  # columns of a product that are made at a time: its sums stay in a cache


def updated(
    reader: ShardReader, values: NDArray[np.float32], rows: range, updates: Sequence[Update]
) -> NDArray[np.float32]:
    """`values`, which are these rows of the matrix and may be overwritten, with the updates."""
    for update in updates:
        values += _product(reader, update, rows, values.shape)
        if update.magnitudes is not None:
            wanted = _numbers(reader, update.magnitudes, rows.start, _span(rows))[:: rows.step]
            values *= (wanted / _lengths(values))[:, None]
    return values


def _lengths(rows: Floats) -> Floats:
    """The length of each row, summed in float64 and in an order that depends on nothing."""
    count, width = rows.shape
    padded = np.zeros((count, -(-width // _LANES) * _LANES))
    padded[:, :width] = rows
    padded *= padded
    lanes = padded.reshape(count, -1, _LANES)
    sums = lanes[:, 0].copy()
    for step in range(1, lanes.shape[1]):
        sums += lanes[:, step]
    while sums.shape[1] > 1:
        half = sums.shape[1] // 2
        sums = sums[:, :half] + sums[:, half:]
    lengths: Floats = np.sqrt(sums[:, 0]).astype(np.float32)
    return lengths


def _product(reader: ShardReader, update: Update, rows: range, shape: tuple[int, ...]) -> Floats:
    height, width = shape
    left = np.ones((height, 1), np.float32)
    if update.left is not None:
        left = np.ascontiguousarray(_rows(reader, update.left, rows))
    made = np.empty((height, width), np.float32)
    sums = np.empty(min(width, _STRIP))
    for first, block in _columns(reader, update, width):
        for at in range(0, block.shape[1], _STRIP):
            strip = np.ascontiguousarray(block[:, at : at + _STRIP])
            part = np.empty((height, strip.shape[1]), np.float32)
            multiply(left, strip, np.float32(update.scale), sums, part)
            made[:, first + at : first + at + strip.shape[1]] = part
    return made


def _rows(reader: ShardReader, factor: Factor, rows: range) -> Floats:
    """Rows of the left one."""
    info, span = factor.info, _span(rows)
    if not factor.turned:
        rank = info.shape[1]
        found = _numbers(reader, info, rows.start * rank, span * rank)
        return found.reshape(span, rank)[:: rows.step]
    rank, height = info.shape
    lines = [_numbers(reader, info, k * height + rows.start, span) for k in range(rank)]
    return np.stack(lines, axis=1)[:: rows.step]


def _columns(reader: ShardReader, update: Update, width: int) -> Iterator[tuple[int, Floats]]:
    """The right one, as many of its columns at a time as may be in memory, and the first."""
    factor, rank = update.right, update.rank
    info = factor.info
    step = max(1, UPDATE_BLOCK // rank)
    for first in range(0, width, step):
        count = min(step, width - first)
        if factor.turned:
            block = _numbers(reader, info, first * rank, count * rank).reshape(count, rank).T
        elif count == width:
            block = _numbers(reader, info, 0, rank * width).reshape(rank, width)
        else:
            lines = [_numbers(reader, info, k * width + first, count) for k in range(rank)]
            block = np.stack(lines)
        yield first, block


def _numbers(reader: ShardReader, info: TensorInfo, first: int, count: int) -> Floats:
    """Numbers of a tensor of floats, counted through; TensorError where one is none."""
    size = 4 if info.dtype == "F32" else 2
    raw = reader.read(info, first * size, count * size)
    if info.dtype == "BF16":
        found = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    else:
        found = np.frombuffer(raw, "<f4" if size == 4 else "<f2").astype(np.float32)
    if not np.isfinite(found).all():
        raise TensorError(
            f"{info.name} holds what is no number",
            path=info.shard,
            expected="finite weights",
            hint="the adapter is damaged or its training diverged",
        )
    return found


def _span(rows: range) -> int:
    return rows[-1] + 1 - rows.start
