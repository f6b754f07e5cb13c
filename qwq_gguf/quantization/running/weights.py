"""Rows of a source's tensor, in the GGUF's row order, as they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.conversion.parts import Part
from qwq_gguf.conversion.values import (
    Change,
    ComputedTensor,
    Piece,
    RowOrder,
    Source,
    SourceTensor,
)
from qwq_gguf.errors import TensorError
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.ggml import load_ggml
from qwq_gguf.quantization.running.decoding import decode
from qwq_gguf.quantization.running.parts import read_part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwq_gguf.checkpoint.reader import ShardReader

__all__ = ["read_rows", "refuse_bad", "shard_of"]

_EXPONENTS = {"BF16": 0x7F80, "F16": 0x7C00}


def read_rows(
    reader: ShardReader, tensor: SourceTensor, first: int, count: int
) -> NDArray[np.uint8]:
    """Rows `first` to `first + count` of the GGUF tensor as stored, shape [count, bytes].

    Whether they are numbers is not looked at, as quantizing tells: see `refuse_bad`.
    """
    kind = GgmlType[tensor.sources[0].dtype]
    row_bytes = kind.row_bytes(tensor.shape[0])
    parts = [_read(reader, piece, tensor, row_bytes) for piece in tensor.pieces(first, count)]
    rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return changed(rows, kind, tensor.change) if tensor.change else rows


def _read(
    reader: ShardReader, piece: Piece, tensor: SourceTensor, row_bytes: int
) -> NDArray[np.uint8]:
    source, first, count = piece
    order = tensor.row_order
    if order is None:
        return _stored(reader, source, first, count, row_bytes)
    if len(tensor.shape) == 1:  # its rows are its elements
        whole = _stored(reader, source, 0, 1, row_bytes)
        elements = whole.reshape(tensor.shape[0], -1)
        return elements[_picked(order, 0, len(elements))].reshape(1, row_bytes)
    # Rows move only within a group, so whole groups are read and picked from.
    start = first // order.group * order.group
    stop = -(-(first + count) // order.group) * order.group
    rows = _stored(reader, source, start, stop - start, row_bytes)
    return rows[_picked(order, first, count) - start]


def _stored(
    reader: ShardReader,
    source: Source,
    first: int,
    count: int,
    row_bytes: int,
) -> NDArray[np.uint8]:
    if isinstance(source, Part):
        return read_part(reader, source, first, count)
    start, nbytes = first * row_bytes, count * row_bytes
    if isinstance(source, ComputedTensor):
        raw = source.data[start : start + nbytes]
    else:
        raw = reader.read(source, start, nbytes)
    return np.frombuffer(raw, dtype=np.uint8).reshape(count, row_bytes)


def _picked(order: RowOrder, first: int, count: int) -> NDArray[np.int64]:
    rows = np.arange(first, first + count, dtype=np.int64)
    places = np.asarray(order.order, dtype=np.int64)
    return rows // order.group * order.group + places[rows % order.group]


def changed(rows: NDArray[np.uint8], kind: GgmlType, change: Change) -> NDArray[np.uint8]:
    """Rows of a float type with the change done to each number, as float32.

    As the converter does it: half precision stays that, BF16 is widened first. The exponential
    is the one nearest to the true value; torch's is the next one in some of a hundred cases.
    """
    if change == "plus one":
        plain = rows.view("<f2") if kind is GgmlType.F16 else decode(rows, kind)
        made = plain + plain.dtype.type(1)
    else:
        made = -np.exp(decode(rows, kind).astype(np.float64))
        if kind is GgmlType.F16:
            made = made.astype("<f2")
    return np.ascontiguousarray(made.astype("<f4")).view(np.uint8)


def refuse_bad(rows: NDArray[np.uint8], tensor: SourceTensor, first: int) -> None:
    """TensorError naming the source's tensor and row if a weight is NaN or infinite.

    `rows` are as `read_rows` gives them from row `first`. Of rows that are quantized
    already, the blocks must be those that llama.cpp would load.
    """
    kind = tensor.stored
    if kind.quantized:
        _refuse_bad_blocks(rows, tensor, first)
        return
    mask = _EXPONENTS.get(kind.name)
    if mask is not None:
        bad = (rows.view("<u2") & mask) == mask
    elif kind is GgmlType.F32:
        bad = ~np.isfinite(rows.view("<f4"))
    else:  # a table of whole numbers, which is only copied
        return
    if not bad.any():
        return
    row, column = (int(place[0]) for place in np.nonzero(bad))
    value = decode(rows[row : row + 1], kind)[0, column]
    if tensor.row_order is not None and len(tensor.shape) == 1:
        column = int(_picked(tensor.row_order, column, 1)[0])
    source, row = _origin(tensor, first + row)
    raise TensorError(
        f"{source.name} holds a weight that is no number, in row {row}",
        path=shard_of(source),
        found=f"{value} at column {column}",
        expected="finite weights",
        hint="the source is damaged or its training diverged: download it again",
    )


def _origin(tensor: SourceTensor, row: int) -> tuple[Source, int]:
    """What holds a row, and which of its rows it is."""
    (piece,) = tensor.pieces(row, 1)
    if isinstance(piece.source, Part):  # of a turned one, the column
        turned = piece.source.turned
        return piece.source, piece.first if turned else piece.source.taken[piece.first]
    if tensor.row_order is None or len(tensor.shape) == 1:
        return piece.source, piece.first
    return piece.source, int(_picked(tensor.row_order, piece.first, 1)[0])


def shard_of(source: Source) -> Path | None:
    """The file to name in an error."""
    return None if isinstance(source, ComputedTensor) else source.shard


def _refuse_bad_blocks(rows: NDArray[np.uint8], tensor: SourceTensor, first: int) -> None:
    """As llama.cpp does when it loads a file; its library describes the block on stderr."""
    ggml, kind = load_ggml(), tensor.stored
    if ggml.is_valid(kind, rows):
        return
    row = next(row for row in range(len(rows)) if not ggml.is_valid(kind, rows[row : row + 1]))
    source, row = _origin(tensor, first + row)
    raise TensorError(
        f"{source.name} holds a block that is no {kind.name}, in row {row}",
        path=shard_of(source),
        expected="finite scales",
        hint="the file is damaged: download it again",
    )
