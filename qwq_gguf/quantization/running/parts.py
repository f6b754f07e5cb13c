"""Rows of a part of a checkpoint's tensor, in the form in which they are quantized."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from qwq_gguf.conversion.parts import FLOATS, Packed, Part, Scales
from qwq_gguf.ggml_types import GgmlType
from qwq_gguf.quantization.kernels.mxfp4 import packed
from qwq_gguf.quantization.kernels.scaled_bytes import FACTORS, scaled
from qwq_gguf.quantization.running.decoding import decode
from qwq_gguf.quantization.running.packed import unpacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwq_gguf.checkpoint.reader import ShardReader

__all__ = ["read_part"]

_NUMBERS = {"F32": "<f4", "BF16": "<u2", "F16": "<u2"}


def read_part(reader: ShardReader, part: Part, first: int, count: int) -> NDArray[np.uint8]:
    """Rows `first` to `first + count` of what the part gives, shape [count, bytes a row].

    Of a turned part all of it is read, of any other the rows that are asked for.
    """
    taken = part.taken if part.turned else part.taken[first : first + count]
    rows = _decoded(reader, part, taken)
    if part.updates is not None:
        rows = _updated(reader, part, taken, rows)
    if not part.turned and part.columns is None:
        return rows
    values = rows.view(_NUMBERS[part.dtype])
    if part.turned:
        asked = slice(first, first + count)
        columns = asked if part.columns is None else np.asarray(part.columns[asked])
        values = values[:, columns].T
    else:
        values = values[:, np.asarray(part.columns)]
    return np.ascontiguousarray(values).view(np.uint8)


def _updated(
    reader: ShardReader, part: Part, rows: range, stored: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """As float32, with what adapters add."""
    values = decode(stored, GgmlType[part.decoded])
    if part.updates:
        from qwq_gguf.quantization.running.merging import updated  # compiles

        values = updated(reader, np.array(values), rows, part.updates)
    return np.ascontiguousarray(values).view(np.uint8)


def _decoded(reader: ShardReader, part: Part, rows: range) -> NDArray[np.uint8]:
    if isinstance(part.scales, Packed):
        return unpacked(reader, part, part.scales, rows)
    stored = _rows(reader, part, rows)
    if part.info.dtype in FLOATS or part.scales is None:
        return stored
    scales = part.scales
    if part.decoded == "MXFP4":
        blocks = -(-part.width // scales.columns)
        exponents = reader.read(scales.info, rows.start * blocks, _span(rows) * blocks)
        table = np.frombuffer(exponents, dtype=np.uint8).reshape(-1, blocks)
        return packed(stored, table[:: rows.step])
    return scaled(stored, part.info.dtype, _factors(reader, part, scales, rows), scales.columns)


def _rows(reader: ShardReader, part: Part, rows: range) -> NDArray[np.uint8]:
    """As they are stored; of those with others between them, these are read too."""
    width = part.row_bytes
    raw = reader.read(part.info, rows.start * width, _span(rows) * width)
    return np.frombuffer(raw, dtype=np.uint8).reshape(-1, width)[:: rows.step]


def _span(rows: range) -> int:
    return rows[-1] + 1 - rows.start


def _factors(reader: ShardReader, part: Part, scales: Scales, rows: range) -> NDArray[np.float32]:
    """The factors of each of these rows, from left to right."""
    across = -(-part.width // scales.columns)
    numbers = np.arange(rows.start, rows.stop, rows.step) // scales.rows
    size = FACTORS[scales.info.dtype].itemsize
    start, stop = int(numbers[0]), int(numbers[-1]) + 1
    raw = reader.read(scales.info, start * across * size, (stop - start) * across * size)
    table = FACTORS[scales.info.dtype].read(raw).reshape(-1, across)
    return table[numbers - start]
